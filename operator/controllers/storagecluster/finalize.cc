#include "operator/controllers/storagecluster/finalize.h"

#include <algorithm>

#include "operator/kube/finalizers.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

// Owner references that would let the garbage collector take a retained claim along.
std::optional<Action> Disown(const Json& claim, const std::string& cluster_uid) {
  static const Json::json_pointer pointer("/metadata/ownerReferences");
  if (!claim.contains(pointer) || !claim.at(pointer).is_array()) return std::nullopt;
  Json kept = Json::array();
  for (const Json& reference : claim.at(pointer)) {
    const bool takes_it_along =
        kube::StringAt(reference, "/uid") == cluster_uid || kube::StringAt(reference, "/kind") == "StatefulSet";
    if (!takes_it_along) kept.push_back(reference);
  }
  if (kept.size() == claim.at(pointer).size()) return std::nullopt;
  return Action{
      .verb = Verb::kMergePatch,
      .kind = kube::kinds::kPersistentVolumeClaim,
      .key = kube::KeyOf(claim),
      .body = {{"metadata", {{"resourceVersion", kube::ResourceVersionOf(claim)}, {"ownerReferences", kept}}}},
      .event_reason = "VolumeReleased",
      .because = "PersistentVolumeClaim " + kube::KeyOf(claim).ToString() + " no longer has an owner"};
}

}  // namespace

Finalization PlanFinalization(const std::string& cluster_uid, api::TerminationPolicy policy, const Observed& observed) {
  const bool delete_data = policy == api::TerminationPolicy::kDelete;
  Finalization finalization;
  if (!delete_data) {
    for (const Json& claim : observed.claims) {
      if (kube::IsBeingDeleted(claim)) continue;
      finalization.retained_claims.push_back(kube::KeyOf(claim).name);
      if (auto disown = Disown(claim, cluster_uid)) finalization.actions.push_back(*std::move(disown));
    }
  }
  // Pods before what they use: the reverse of the order in which it was made.
  std::vector<const Child*> children;
  for (const Child& child : observed.children) children.push_back(&child);
  std::reverse(children.begin(), children.end());
  for (const Child* child : children) {
    if (kube::IsBeingDeleted(child->object)) {
      if (child->kind == kube::kinds::kStatefulSet) {
        finalization.waiting_for = "StatefulSet " + kube::KeyOf(child->object).ToString() + " to be gone";
      }
      continue;
    }
    finalization.actions.push_back(DeleteObserved(
        child->kind, child->object,
        child->kind.kind + " " + kube::KeyOf(child->object).ToString() + " goes with its StorageCluster"));
  }
  if (!delete_data) {
    // Retained volumes are in nobody's way; the pods that are still ending need not be waited for.
    finalization.waiting_for.clear();
    return finalization;
  }
  // A claim that goes while a StatefulSet or pod still uses it would be made anew, empty.
  if (!finalization.actions.empty() || !finalization.waiting_for.empty()) return finalization;
  for (const Json& pod : observed.pods) {
    finalization.waiting_for = "Pod " + kube::KeyOf(pod).ToString() + " to end";
    return finalization;
  }
  for (const Json& claim : observed.claims) {
    if (kube::IsBeingDeleted(claim)) continue;
    finalization.actions.push_back(DeleteObserved(
        kube::kinds::kPersistentVolumeClaim, claim,
        "PersistentVolumeClaim " + kube::KeyOf(claim).ToString() + " is deleted: terminationPolicy is Delete"));
  }
  for (const Child& companion : observed.companions) {
    if (kube::IsBeingDeleted(companion.object)) continue;
    finalization.actions.push_back(DeleteObserved(
        companion.kind, companion.object,
        companion.kind.kind + " " + kube::KeyOf(companion.object).ToString() + " goes with the volumes"));
  }
  return finalization;
}

bool HasFinalizer(const Json& cluster) {
  return kube::HasFinalizer(cluster, kFinalizer);
}

Json AddFinalizerPatch(const Json& cluster) {
  return kube::AddFinalizerPatch(cluster, kFinalizer);
}

Json RemoveFinalizerPatch(const Json& cluster) {
  return kube::RemoveFinalizerPatch(cluster, kFinalizer);
}

}  // namespace holdfast::storagecluster
