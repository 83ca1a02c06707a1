#include "operator/controllers/storagebackup/place.h"

#include <algorithm>
#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/kube/base64.h"
#include "operator/kube/get_or_null.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::storagebackup {
namespace {

using kube::Json;

constexpr char kInsteadOfSteering[] = "use `holdfast backup`";

std::string StoreNames(const api::StorageCluster& cluster) {
  std::string names;
  for (const api::StoreSpec& store : cluster.spec.stores) names += (names.empty() ? "" : ", ") + store.name;
  return names;
}

// Empty: there is none yet.
Result<std::string> TokenOf(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json secret,
      kube::GetOrNull(client, kube::kinds::kSecret, {cluster.ns, resources::BackupTokenName(cluster.name)}, deadline));
  return kube::Base64Decode(kube::StringAt(secret, std::string("/data/") + resources::kTokenFile));
}

}  // namespace

std::optional<Said> WhyNot(const api::StorageCluster& cluster, const Search& search) {
  const auto& stores = cluster.spec.stores;
  const bool there = std::any_of(stores.begin(), stores.end(),
                                 [&](const api::StoreSpec& store) { return store.name == search.store; });
  if (!there) {
    const auto& backends = cluster.spec.backends;
    const bool is_backend = std::any_of(backends.begin(), backends.end(),
                                        [&](const api::BackendSpec& backend) { return backend.name == search.store; });
    const std::string hint =
        is_backend ? "; " + search.store + " is a backend, and a database's own backups are made by its postgres.backup"
                   : "";
    return Said{"InvalidReference", "StorageCluster " + cluster.name + " has no store " + search.store + " but " +
                                        StoreNames(cluster) + hint + ": make another " + search.object_kind +
                                        " that names one"};
  }
  if (search.of_source && !cluster.spec.backup_source) {
    return Said{"NoSource", "StorageCluster " + cluster.name +
                                " does not say where the backups of another cluster lie, which sourceStore is about: "
                                "name a claim or a bucket in its spec.backups.source"};
  }
  if (!search.of_source && !cluster.spec.backups) {
    return Said{"NoPlace", "StorageCluster " + cluster.name +
                               " has no place for backups: name a claim or a bucket in its spec.backups"};
  }
  if (std::string why = service_access::WhyNotSteered(cluster, kInsteadOfSteering); !why.empty()) {
    return Said{"NotSupported", std::move(why)};
  }
  if (!service_access::Runs(cluster)) {
    return Said{
        "ServiceStopped",
        "no pod of the service runs, which does the work: set service.replicas above 0, or wake the cluster up"};
  }
  return std::nullopt;
}

Result<Place> FindPlace(kube::Client& client, const Search& search, Deadline deadline) {
  Place place;
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json object, kube::GetOrNull(client, kube::kinds::kStorageCluster, {search.ns, search.cluster}, deadline));
  if (object.is_null()) {
    place.unusable = Said{"InvalidReference", "there is no StorageCluster " + search.cluster +
                                                  " in this namespace: make it, or delete this " + search.object_kind +
                                                  " and name another"};
    return place;
  }
  place.paused = api::IsPaused(object);
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(object);
  if (!parsed.cluster) {
    place.unusable =
        Said{"InvalidReference", "the StorageCluster's spec is not valid: " + api::Summarize(parsed.errors)};
    return place;
  }
  const api::StorageCluster& cluster = *parsed.cluster;
  place.unusable = WhyNot(cluster, search);
  if (place.unusable) return place;
  std::string token;
  if (resources::HasBackupCaller(cluster.spec)) {
    HOLDFAST_ASSIGN_OR_RETURN(token, TokenOf(client, cluster, deadline));
    place.silence = "the operator has no token of the service yet";
    if (token.empty()) return place;
  }
  kube::ListOptions options;
  options.label_selector = resources::PodSelectorText(cluster.name);
  HOLDFAST_ASSIGN_OR_RETURN(const kube::ObjectList pods, client.List(kube::kinds::kPod, cluster.ns, options, deadline));
  place.pod_is_gone = !search.preferred_pod.empty() &&
                      std::none_of(pods.items.begin(), pods.items.end(),
                                   [&](const Json& pod) { return kube::KeyOf(pod).name == search.preferred_pod; });
  HOLDFAST_ASSIGN_OR_RETURN(service_access::Reached reached,
                            service_access::Reach(client, cluster, pods.items, token, search.preferred_pod, deadline));
  place.silence = reached.silence;
  if (place.silence.empty()) place.service = std::move(reached);
  return place;
}

}  // namespace holdfast::storagebackup
