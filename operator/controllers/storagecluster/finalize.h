// What is left to do before a cluster that is being deleted may go. Pure. The finalizer keeps the object until its
// children are gone, so that a cluster made anew under the same name never meets them.
#pragma once

#include <string>
#include <vector>

#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

inline constexpr char kFinalizer[] = "storage.holdfast.dev/cluster-protection";

struct Finalization {
  std::vector<Action> actions;  // every delete names uid and resourceVersion
  // What has to end by itself before the next step: "Pod prod/demo-0 to end". Empty = nothing.
  std::string waiting_for;
  // Volumes that stay behind.
  std::vector<std::string> retained_claims;
  bool Finished() const { return actions.empty() && waiting_for.empty(); }
};

// `observed` comes from ObserveForDeletion. kDoNotTerminate is the caller's business and is treated as kRetain.
Finalization PlanFinalization(const std::string& cluster_uid, api::TerminationPolicy policy, const Observed& observed);

bool HasFinalizer(const Json& cluster);
// The merge patch that adds or removes ours and keeps the others; carries the object's resourceVersion.
Json AddFinalizerPatch(const Json& cluster);
Json RemoveFinalizerPatch(const Json& cluster);

}  // namespace holdfast::storagecluster
