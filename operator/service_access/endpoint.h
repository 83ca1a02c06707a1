// Where the state service of a cluster is reached, and as whom: by the address of one of its pods, which with TLS has
// to show a certificate for the service's name, or the one that the cluster names.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/client.h"

namespace holdfast::service_access {

struct Endpoint {
  std::string base_url;     // "http://10.0.0.7:8080"
  std::string server_name;  // of https: what its certificate is for
  std::string authority;    // PEM; of https
  std::string certificate;  // PEM; of clients; empty = none is asked for
  std::string key;          // PEM; of `certificate`
  std::string token;        // empty = none is asked for
};

struct Reached {
  Endpoint endpoint;
  std::string pod;      // that will answer
  std::string silence;  // why nobody can be asked now; empty = the endpoint can be
};

// `pods` of the service, as they are. `preferred`: the pod that should answer, if it is ready.
Result<Reached> Reach(kube::Client& client, const api::StorageCluster& cluster, const std::vector<kube::Json>& pods,
                      const std::string& token, const std::string& preferred, Deadline deadline);

// What keeps the operator from steering the service at all, with `instead` as the remedy; empty = nothing.
std::string WhyNotSteered(const api::StorageCluster& cluster, const std::string& instead);

// Whether any pod of the service should be running.
bool Runs(const api::StorageCluster& cluster);

}  // namespace holdfast::service_access
