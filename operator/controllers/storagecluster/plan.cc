#include "operator/controllers/storagecluster/plan.h"

#include <algorithm>
#include <set>

#include "base/config/settings.h"
#include "operator/controllers/storagecluster/carries.h"
#include "operator/controllers/storagecluster/migrations.h"
#include "operator/controllers/storagecluster/ownership.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"

namespace holdfast::storagecluster {
namespace {

constexpr char kTemplatesPointer[] = "/spec/volumeClaimTemplates";
constexpr char kRequestedSizePointer[] = "/spec/resources/requests/storage";

const Json* At(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) ? &object.at(path) : nullptr;
}

// By their names, which pods mount them by.
std::set<std::string> ClaimTemplates(const Json& stateful_set) {
  std::set<std::string> names;
  const Json* templates = At(stateful_set, kTemplatesPointer);
  if (templates == nullptr || !templates->is_array()) return names;
  for (const Json& each : *templates) names.insert(kube::KeyOf(each).name);
  return names;
}

// nlohmann keeps the nulls Go writes for empty times; in an apply they would be fields of ours.
void DropNulls(Json& value) {
  if (!value.is_structured()) return;
  if (value.is_object()) {
    for (auto member = value.begin(); member != value.end();) {
      member = member->is_null() ? value.erase(member) : std::next(member);
    }
  }
  for (Json& child : value) DropNulls(child);
}

std::string DescribeClaim(const Json& claim) {
  return "PersistentVolumeClaim " + kube::KeyOf(claim).ToString();
}

// An empty patch of an object, in the version that was observed.
Action PatchOf(const kube::ResourceKind& kind, const Json& object) {
  return {.verb = Verb::kMergePatch,
          .kind = kind,
          .key = kube::KeyOf(object),
          .body = {{"metadata", {{"resourceVersion", kube::ResourceVersionOf(object)}}}}};
}

class Planner {
 public:
  Planner(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
          const Observed& observed)
      : cluster_(cluster),
        desired_(desired),
        observed_(observed),
        migrations_(JudgeMigrations(cluster, desired, observed)),
        volume_sets_(resources::VolumeSets(cluster)) {}

  Plan Make() {
    FindObstacles();
    FindClaimObstacles();
    WarnAboutClaims();
    if (plan_.blocked || plan_.waiting) return std::move(plan_);
    for (const resources::DesiredObject& object : desired_) {
      if (migrations_.Opens(object) && !WaitsForMaster(object)) PlanObject(object);
    }
    for (const Json& claim : observed_.claims) PlanClaim(claim);
    PlanPruning();
    return std::move(plan_);
  }

 private:
  // The service is told of a Redis backend with sentinels or shards when it is certain that no server of it begins
  // without data any more (IsInitialized): nothing can be written before that, so nothing can be lost.
  bool WaitsForMaster(const resources::DesiredObject& object) const {
    if (object.stage != resources::Stage::kService || cluster_.hibernated) return false;
    return std::any_of(cluster_.spec.backends.begin(), cluster_.spec.backends.end(),
                       [&](const api::BackendSpec& backend) {
                         return backend.redis() != nullptr && backend.redis()->replicated() &&
                                !IsInitialized(cluster_, backend, observed_);
                       });
  }

  bool HasStatefulSet(const resources::VolumeSet& set) const {
    return observed_.Find(kube::kinds::kStatefulSet, set.stateful_set) != nullptr;
  }

  // The set a claim belongs to, or nullptr: of a backend that is no longer in the spec, or retained by a former
  // cluster.
  const resources::VolumeSet* SetOf(const Json& claim) const {
    for (const resources::VolumeSet& set : volume_sets_) {
      if (set.Holds(kube::KeyOf(claim).name)) return &set;
    }
    return nullptr;
  }

  void Block(std::string reason, std::string message) {
    if (!plan_.blocked) plan_.blocked = Problem{std::move(reason), std::move(message)};
  }

  void Wait(std::string message) {
    if (!plan_.waiting) plan_.waiting = Problem{"WaitingForFormerObjects", std::move(message)};
  }

  void FindObstacles() {
    for (const resources::DesiredObject& object : desired_) {
      const Json* live = observed_.Find(object.kind, object.key().name);
      if (live == nullptr) continue;
      const std::string description = DescribeObject(object.kind, *live);
      const Ownership ownership = OwnershipOf(*live, cluster_);
      if (ownership == Ownership::kForeign) {
        Block("ObjectConflict", description +
                                    ", was not made by this StorageCluster and is in the way; rename or delete it, or "
                                    "give the StorageCluster another name");
      } else if (ownership == Ownership::kFormer) {
        Wait(description + ", belongs to a former StorageCluster of this name and is still being removed");
      } else if (kube::IsBeingDeleted(*live)) {
        Wait(description + " is being deleted; it will be made anew once it is gone");
      }
    }
  }

  // Claims are found by name by the StatefulSet controller, which asks nobody whose they are. So whatever is there
  // before our StatefulSet is, is looked at first.
  void FindClaimObstacles() {
    for (const Json& claim : observed_.claims) {
      const resources::VolumeSet* set = SetOf(claim);
      if (set == nullptr) continue;
      const std::string description = "PersistentVolumeClaim " + kube::KeyOf(claim).ToString();
      if (!HasStatefulSet(*set)) {
        if (kube::LabelOf(claim, resources::kClusterLabel) != cluster_.name) {
          Block("ObjectConflict", description +
                                      " was not made for this StorageCluster and its pods would mount it; rename the "
                                      "StorageCluster, or label the claim " +
                                      resources::kClusterLabel + "=" + cluster_.name +
                                      " to let the cluster take it over with its data");
        } else if (kube::IsBeingDeleted(claim)) {
          Wait(description + " of a former StorageCluster of this name is still being deleted");
        }
      }
      const std::string has = kube::StringAt(claim, "/spec/storageClassName");
      if (set->storage_class.empty() || has.empty() || has == set->storage_class) continue;
      Block("StorageClassMismatch", description + " has storage class " + has + " and spec.backends asks for " +
                                        set->storage_class + "; name " + has + ", or delete the claim with its data");
    }
  }

  void WarnAboutClaims() {
    for (const Json& claim : observed_.claims) {
      const resources::VolumeSet* set = SetOf(claim);
      if (set == nullptr || !HasStatefulSet(*set) || !kube::IsBeingDeleted(claim)) continue;
      plan_.warnings.push_back(
          {"VolumeTerminating", "PersistentVolumeClaim " + kube::KeyOf(claim).ToString() +
                                    " is being deleted: its data is lost when the pod ends; copy it before that"});
    }
  }

  void PlanObject(const resources::DesiredObject& object) {
    const std::string name = object.key().name;
    const Json* live = observed_.Find(object.kind, name);
    Json body = object.object;
    // Nothing in a Job can change; what it should be otherwise has another name.
    if (live != nullptr && object.kind == kube::kinds::kJob) return;
    if (live != nullptr && object.kind == kube::kinds::kStatefulSet) {
      if (const std::string field = ImmutableDifference(body, *live); !field.empty()) {
        // Not replaced in one step, which the API does not offer: made anew by the next reconcile, once it is gone.
        plan_.actions.push_back(DeleteObserved(object.kind, *live,
                                               "StatefulSet " + kube::KeyOf(*live).ToString() +
                                                   " has to be made anew: " + field + " cannot be changed in place"));
        return;
      }
      if (std::optional<Action> handover = TakeRollingUpdateOver(body, *live)) {
        plan_.actions.push_back(*std::move(handover));
        plan_.unfinished = true;
        return;
      }
      KeepClaimTemplates(*live, body);
    }
    if (object.kind == kube::kinds::kStatefulSet) PlanPatroniConfiguration(live, body);
    body["metadata"]["annotations"][resources::kDesiredHashAnnotation] = DesiredHash(object.object);
    Action action{.verb = Verb::kApply, .kind = object.kind, .key = object.key()};
    const std::string description = object.kind.kind + " " + action.key.ToString();
    if (live == nullptr) {
      action.creates = true;
      action.event_reason = "Created";
      action.because = description + " is not there";
    } else {
      // The hash tells what a comparison cannot: a field we once set and no longer want.
      const auto difference = FirstDifference(body, *live);
      if (!difference) return;
      action.event_reason = "Updated";
      action.because = description + " differs at " + *difference;
      body["metadata"]["uid"] = kube::UidOf(*live);
      body["metadata"]["resourceVersion"] = kube::ResourceVersionOf(*live);
    }
    action.body = std::move(body);
    plan_.actions.push_back(std::move(action));
  }

  // Members follow what stands in Patroni's store; its file is read for a new cluster only. `body`: of the StatefulSet,
  // whose annotation says what the store was given, and is written after it.
  void PlanPatroniConfiguration(const Json* live, Json& body) {
    const std::string backend_name = kube::LabelOf(body, resources::kBackendLabel);
    const auto backend = std::find_if(cluster_.spec.backends.begin(), cluster_.spec.backends.end(),
                                      [&](const api::BackendSpec& each) { return each.name == backend_name; });
    if (backend == cluster_.spec.backends.end() || backend->postgres() == nullptr) return;
    static const Json::json_pointer given =
        Json::json_pointer("/metadata/annotations") / resources::kPatroniConfigurationAnnotation;
    if (!body.contains(given)) return;  // of the repository
    if (live != nullptr && live->contains(given) && live->at(given) == body.at(given)) return;
    const auto store = observed_.patroni_configs.find(backend_name);
    const Json config =
        store == observed_.patroni_configs.end()
            ? Json(Json::value_t::discarded)
            : Json::parse(kube::StringAt(store->second, "/metadata/annotations/config"), nullptr, false);
    if (!config.is_object()) {
      // A new cluster begins with its file. One that is just beginning has read an older one: told when it is there.
      if (live != nullptr && live->contains(given)) {
        body[given] = live->at(given);
        plan_.unfinished = true;
      }
      return;
    }
    const Json merged =
        resources::MergedDynamicConfiguration(config, resources::DynamicConfiguration(cluster_, *backend->postgres()));
    if (merged == config) return;
    Action action{.verb = Verb::kMergePatch, .kind = kube::kinds::kConfigMap, .key = kube::KeyOf(store->second)};
    action.body = {
        {"metadata",
         {{"resourceVersion", kube::ResourceVersionOf(store->second)}, {"annotations", {{"config", merged.dump()}}}}}};
    action.event_reason = "DatabaseConfigured";
    action.because = "the servers of backend " + backend_name + " follow a new configuration";
    plan_.actions.push_back(std::move(action));
  }

  // The first field of a StatefulSet that is not as we want it and that the API server does not let us change.
  static std::string ImmutableDifference(const Json& wanted, const Json& live) {
    if (ClaimTemplates(wanted) != ClaimTemplates(live)) return "spec.volumeClaimTemplates";
    for (const char* pointer : {"/spec/selector/matchLabels", "/spec/serviceName", "/spec/podManagementPolicy"}) {
      const Json* left = At(wanted, pointer);
      const Json* right = At(live, pointer);
      if (left != nullptr && (right == nullptr || *left != *right)) return pointer;
    }
    return {};
  }

  // An earlier build left the strategy to the API server, whose default has settings that OnDelete may not have beside
  // it. They are nobody's, so an apply would leave them there, and be refused for them.
  static std::optional<Action> TakeRollingUpdateOver(const Json& wanted, const Json& live) {
    const bool obsolete = kube::StringAt(wanted, "/spec/updateStrategy/type") == "OnDelete" &&
                          At(live, "/spec/updateStrategy/rollingUpdate") != nullptr;
    if (!obsolete) return std::nullopt;
    Action action = PatchOf(kube::kinds::kStatefulSet, live);
    action.body["spec"]["updateStrategy"] = {{"type", "OnDelete"}, {"rollingUpdate", nullptr}};
    action.event_reason = "Updated";
    action.because =
        "StatefulSet " + kube::KeyOf(live).ToString() + " leaves it to the operator from now on to replace its pods";
    return action;
  }

  // Of what can change: claim templates cannot, and the live ones carry what the server has added.
  static std::string DesiredHash(Json desired) {
    if (desired.contains("spec")) desired["spec"].erase("volumeClaimTemplates");
    return resources::Hash(desired);
  }

  // Templates cannot change, so the live one stays as it is; the claims themselves are grown (PlanClaim).
  static void KeepClaimTemplates(const Json& live, Json& body) {
    if (ClaimTemplates(live).empty()) return;
    Json templates = *At(live, kTemplatesPointer);
    DropNulls(templates);
    body["spec"]["volumeClaimTemplates"] = std::move(templates);
  }

  void PlanClaim(const Json& claim) {
    const resources::VolumeSet* set = SetOf(claim);
    // Without its backend a retained claim is not ours to take over, and then perhaps to delete.
    if (set == nullptr || kube::IsBeingDeleted(claim)) return;
    if (kube::LabelOf(claim, resources::kOwnerUidLabel) != cluster_.uid ||
        kube::LabelOf(claim, resources::kClusterLabel) != cluster_.name ||
        kube::LabelOf(claim, resources::kManagedByLabel) != resources::kFieldManager) {
      Action action = PatchOf(kube::kinds::kPersistentVolumeClaim, claim);
      action.body["metadata"]["labels"] = set->backend.empty()
                                              ? resources::ChildLabels(cluster_)
                                              : resources::BackendLabels(cluster_, set->backend, set->role);
      action.event_reason = "VolumeTakenOver";
      action.because = DescribeClaim(claim) + " is taken over with its data";
      plan_.actions.push_back(std::move(action));
      return;  // growing it is the next reconcile's: this patch changes its resourceVersion
    }
    if (std::optional<Action> growing = GrowClaim(claim, set->size)) plan_.actions.push_back(*std::move(growing));
  }

  void PlanPruning() {
    const std::vector<std::string> secrets = resources::SecretNames(cluster_);
    for (const Child& child : observed_.children) {
      const std::string name = kube::KeyOf(child.object).name;
      const bool desired = std::any_of(desired_.begin(), desired_.end(), [&](const resources::DesiredObject& object) {
        return object.kind == child.kind && object.key().name == name;
      });
      if (child.kind == kube::kinds::kSecret && std::find(secrets.begin(), secrets.end(), name) != secrets.end()) {
        continue;
      }
      if (desired || kube::IsBeingDeleted(child.object) || ControllerUid(child.object) != cluster_.uid) continue;
      plan_.actions.push_back(DeleteObserved(
          child.kind, child.object,
          child.kind.kind + " " + kube::KeyOf(child.object).ToString() + " is no longer part of the cluster"));
    }
  }

  const api::StorageCluster& cluster_;
  const std::vector<resources::DesiredObject>& desired_;
  const Observed& observed_;
  const Migrations migrations_;
  const std::vector<resources::VolumeSet> volume_sets_;
  Plan plan_;
};

}  // namespace

Plan MakePlan(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
              const Observed& observed) {
  return Planner(cluster, desired, observed).Make();
}

std::optional<Action> GrowClaim(const Json& claim, const std::string& size) {
  const std::string requested = kube::StringAt(claim, kRequestedSizePointer);
  const auto wanted_bytes = config::ParseBytes(size);
  const auto requested_bytes = config::ParseBytes(requested);
  if (!wanted_bytes.ok() || !requested_bytes.ok() || *requested_bytes >= *wanted_bytes) return std::nullopt;
  Action action = PatchOf(kube::kinds::kPersistentVolumeClaim, claim);
  action.body["spec"]["resources"]["requests"]["storage"] = size;
  action.event_reason = "VolumeGrowing";
  action.because = DescribeClaim(claim) + " grows from " + requested + " to " + size;
  return action;
}

Action DeleteObserved(const kube::ResourceKind& kind, const Json& object, std::string because) {
  return {.verb = Verb::kDelete,
          .kind = kind,
          .key = kube::KeyOf(object),
          .preconditions = {kube::UidOf(object), kube::ResourceVersionOf(object)},
          .event_reason = "Deleted",
          .because = std::move(because)};
}

}  // namespace holdfast::storagecluster
