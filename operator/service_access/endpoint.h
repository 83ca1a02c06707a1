// Where the state service of a cluster is reached, and as whom: by a pod's address, or with TLS by the name that its
// certificate is for.
#pragma once

#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/client.h"

namespace holdfast::service_access {

struct Endpoint {
  std::string base_url;   // "http://10.0.0.7:8080"
  std::string authority;  // PEM; of https
  std::string token;      // empty = none is asked for
};

struct Reached {
  Endpoint endpoint;  // without a base_url: no pod is ready
  std::string pod;    // that will answer; empty = any may
};

// `pods` of the service, as they are. `preferred`: the pod that should answer, if it is ready and can be chosen.
Result<Reached> Reach(kube::Client& client, const api::StorageCluster& cluster, const std::vector<kube::Json>& pods,
                      const std::string& token, const std::string& preferred, Deadline deadline);

inline constexpr char kNobodyIsReady[] = "no pod of the service is ready";

// What keeps the operator from steering the service at all, with `instead` as the remedy; empty = nothing.
std::string WhyNotSteered(const api::StorageCluster& cluster, const std::string& instead);

// Whether any pod of the service should be running.
bool Runs(const api::StorageCluster& cluster);

}  // namespace holdfast::service_access
