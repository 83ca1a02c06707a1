// What there is of one cluster: its children, claims and pods, read from the informers' copies or from the API server.
// Copies only say whether there may be work; whatever is written is decided on what the server says (quorum reads), so
// that a stale copy can cost a read and never an object.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/client.h"
#include "operator/kube/informer.h"
#include "operator/resources/build.h"

namespace holdfast::storagecluster {

using kube::Json;

struct Child {
  kube::ResourceKind kind;
  Json object;
};

struct Observed {
  // Objects of the desired kinds and names whoever made them, and whatever else is owned by the cluster.
  std::vector<Child> children;
  std::vector<Json> claims;  // PersistentVolumeClaims of the cluster's pods
  // Found for deletion only: what belongs to the data in the claims and goes or stays with it (credentials, and the
  // ConfigMaps Patroni has made).
  std::vector<Child> companions;
  std::vector<Json> pods;
  // From the server only, by backend: the ConfigMap in which Patroni keeps what its members follow. There from the
  // moment its first member has started.
  std::map<std::string, Json> patroni_configs;

  const Json* Find(const kube::ResourceKind& kind, const std::string& name) const;
  // Replaces or adds what a write has answered with.
  void Put(const kube::ResourceKind& kind, Json object);
};

// Of each Redis backend with sentinels, by name: how many servers it should have now.
std::map<std::string, resources::RedisServers> RedisServersOf(const api::StorageCluster& cluster,
                                                              const Observed& observed);

// The informers' copies for one namespace.
struct Copies {
  const kube::Lister* clusters = nullptr;
  std::map<kube::ResourceKind, const kube::Lister*> children;
  const kube::Lister* claims = nullptr;
  const kube::Lister* pods = nullptr;
};

Observed ObserveCopies(const Copies& copies, const api::StorageCluster& cluster,
                       const std::vector<resources::DesiredObject>& desired);

// Reads from the server: the desired objects and the cluster's Secrets by name, so that a stranger's object of that
// name is seen; of the rest the copies name the candidates and the server confirms each.
Result<Observed> ObserveServer(kube::Client& client, const Copies& copies, const api::StorageCluster& cluster,
                               const std::vector<resources::DesiredObject>& desired, Deadline deadline);

// Everything that carries the uid of a cluster that is going, from the server. Needs no valid spec.
Result<Observed> ObserveForDeletion(kube::Client& client, const kube::ObjectKey& cluster, const std::string& uid,
                                    Deadline deadline);

}  // namespace holdfast::storagecluster
