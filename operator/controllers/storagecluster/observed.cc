#include "operator/controllers/storagecluster/observed.h"

#include <algorithm>

#include "operator/controllers/storagecluster/ownership.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

std::string LabelSelector(std::string_view label, std::string_view value) {
  std::string selector(label);
  selector += '=';
  selector += value;
  return selector;
}

bool IsDesired(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
               const kube::ResourceKind& kind, const std::string& name) {
  if (kind == kube::kinds::kSecret) {
    const std::vector<std::string> secrets = resources::SecretNames(cluster);
    return std::find(secrets.begin(), secrets.end(), name) != secrets.end();
  }
  return std::any_of(desired.begin(), desired.end(), [&](const resources::DesiredObject& object) {
    return object.kind == kind && object.key().name == name;
  });
}

std::vector<Json> WithClusterLabel(const kube::Lister& lister, const kube::ObjectKey& cluster) {
  // In an order that stays the same, since what is said about the pods has to as well.
  std::vector<Json> found;
  for (const kube::ObjectPtr& object : lister.ListLabelled(cluster.ns, resources::kClusterLabel, cluster.name)) {
    found.push_back(*object);
  }
  return found;
}

// Appends the object when it is there.
Status GetInto(kube::Client& client, const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline,
               std::vector<Json>* objects) {
  auto object = client.Get(kind, key, deadline);
  if (!object.ok() && object.error().code() == ErrorCode::kNotFound) return Status::Ok();
  if (!object.ok()) return std::move(object).error().WithContext("reading " + kind.kind + " " + key.ToString());
  objects->push_back(std::move(object).value());
  return Status::Ok();
}

Result<std::vector<Json>> ListLabelled(kube::Client& client, const kube::ResourceKind& kind, const std::string& ns,
                                       const std::string& selector, Deadline deadline) {
  kube::ListOptions options;
  options.label_selector = selector;
  auto list = client.List(kind, ns, options, deadline);
  if (!list.ok()) return std::move(list).error().WithContext("listing " + kind.plural + " in " + ns);
  return std::move(list.value().items);
}

}  // namespace

const Json* Observed::Find(const kube::ResourceKind& kind, const std::string& name) const {
  for (const Child& child : children) {
    if (child.kind == kind && kube::KeyOf(child.object).name == name) return &child.object;
  }
  return nullptr;
}

void Observed::Put(const kube::ResourceKind& kind, Json object) {
  const kube::ObjectKey key = kube::KeyOf(object);
  if (kind == kube::kinds::kPersistentVolumeClaim) {
    for (Json& claim : claims) {
      if (kube::KeyOf(claim) == key) claim = object;
    }
    return;
  }
  for (Child& child : children) {
    if (child.kind == kind && kube::KeyOf(child.object) == key) {
      child.object = std::move(object);
      return;
    }
  }
  children.push_back({kind, std::move(object)});
}

std::map<std::string, resources::RedisServers> RedisServersOf(const api::StorageCluster& cluster,
                                                              const Observed& observed) {
  std::map<std::string, resources::RedisServers> servers;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.redis() == nullptr || !backend.redis()->replicated()) continue;
    const Json* set = observed.Find(kube::kinds::kStatefulSet, resources::BackendName(cluster.name, backend.name));
    servers[backend.name] = resources::DesiredServers(backend.redis()->instances, set);
  }
  return servers;
}

Observed ObserveCopies(const Copies& copies, const api::StorageCluster& cluster,
                       const std::vector<resources::DesiredObject>& desired) {
  const kube::ObjectKey key{cluster.ns, cluster.name};
  Observed observed;
  for (const auto& [kind, lister] : copies.children) {
    for (Json& object : WithClusterLabel(*lister, key)) {
      if (IsDesired(cluster, desired, kind, kube::KeyOf(object).name) || ControllerUid(object) == cluster.uid) {
        observed.children.push_back({kind, std::move(object)});
      }
    }
  }
  observed.claims = WithClusterLabel(*copies.claims, key);
  observed.pods = WithClusterLabel(*copies.pods, key);
  return observed;
}

Result<Observed> ObserveServer(kube::Client& client, const Copies& copies, const api::StorageCluster& cluster,
                               const std::vector<resources::DesiredObject>& desired, Deadline deadline) {
  Observed observed;
  const auto read = [&](const kube::ResourceKind& kind, const kube::ObjectKey& key) -> Status {
    std::vector<Json> found;
    HOLDFAST_RETURN_IF_ERROR(GetInto(client, kind, key, deadline, &found));
    for (Json& object : found) observed.children.push_back({kind, std::move(object)});
    return Status::Ok();
  };
  for (const resources::DesiredObject& object : desired) HOLDFAST_RETURN_IF_ERROR(read(object.kind, object.key()));
  for (const std::string& secret : resources::SecretNames(cluster)) {
    HOLDFAST_RETURN_IF_ERROR(read(kube::kinds::kSecret, {cluster.ns, secret}));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.postgres() == nullptr) continue;
    std::vector<Json> found;
    const kube::ObjectKey key{cluster.ns, resources::PatroniConfigName(cluster.name, backend.name)};
    HOLDFAST_RETURN_IF_ERROR(GetInto(client, kube::kinds::kConfigMap, key, deadline, &found));
    for (Json& config : found) observed.patroni_configs[backend.name] = std::move(config);
  }
  for (const Child& candidate : ObserveCopies(copies, cluster, desired).children) {
    const kube::ObjectKey key = kube::KeyOf(candidate.object);
    if (!IsDesired(cluster, desired, candidate.kind, key.name)) HOLDFAST_RETURN_IF_ERROR(read(candidate.kind, key));
  }

  const std::string selector = LabelSelector(resources::kClusterLabel, cluster.name);
  HOLDFAST_ASSIGN_OR_RETURN(observed.claims,
                            ListLabelled(client, kube::kinds::kPersistentVolumeClaim, cluster.ns, selector, deadline));
  for (const resources::VolumeSet& set : resources::VolumeSets(cluster)) {
    for (std::int64_t i = 0; i < set.pods; ++i) {
      const kube::ObjectKey key{cluster.ns, set.claim_prefix + std::to_string(i)};
      const bool listed = std::any_of(observed.claims.begin(), observed.claims.end(),
                                      [&](const Json& claim) { return kube::KeyOf(claim) == key; });
      // Without our label: somebody else's, unless the label was taken off.
      if (!listed) {
        HOLDFAST_RETURN_IF_ERROR(GetInto(client, kube::kinds::kPersistentVolumeClaim, key, deadline, &observed.claims));
      }
    }
  }
  HOLDFAST_ASSIGN_OR_RETURN(observed.pods, ListLabelled(client, kube::kinds::kPod, cluster.ns, selector, deadline));
  return observed;
}

Result<Observed> ObserveForDeletion(kube::Client& client, const kube::ObjectKey& cluster, const std::string& uid,
                                    Deadline deadline) {
  const std::string selector = LabelSelector(resources::kOwnerUidLabel, uid);
  Observed observed;
  for (const kube::ResourceKind& kind : resources::ChildKinds()) {
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<Json> objects, ListLabelled(client, kind, cluster.ns, selector, deadline));
    for (Json& object : objects) {
      if (ControllerUid(object) == uid) {
        observed.children.push_back({kind, std::move(object)});
      } else if (kind == kube::kinds::kSecret && ControllerUid(object).empty()) {
        observed.companions.push_back({kind, std::move(object)});
      }
    }
  }
  // Patroni's know the cluster's name only.
  std::string patroni = LabelSelector(resources::kClusterLabel, cluster.name);
  patroni.append(",").append(resources::kPatroniScopeLabel);
  HOLDFAST_ASSIGN_OR_RETURN(std::vector<Json> stores,
                            ListLabelled(client, kube::kinds::kConfigMap, cluster.ns, patroni, deadline));
  for (Json& store : stores) {
    if (ControllerUid(store).empty()) observed.companions.push_back({kube::kinds::kConfigMap, std::move(store)});
  }
  HOLDFAST_ASSIGN_OR_RETURN(observed.claims,
                            ListLabelled(client, kube::kinds::kPersistentVolumeClaim, cluster.ns, selector, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(observed.pods, ListLabelled(client, kube::kinds::kPod, cluster.ns, selector, deadline));
  return observed;
}

}  // namespace holdfast::storagecluster
