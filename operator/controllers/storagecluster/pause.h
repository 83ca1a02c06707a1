// The pause switch: while a StorageCluster carries the annotation, the operator writes nothing but its status. What is
// deleted stays until the annotation goes, too.
#pragma once

#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// Any value but "false" pauses: whoever sets the annotation means to.
inline constexpr char kPausedAnnotation[] = "storage.holdfast.dev/paused";
// The condition that is there, and True, for as long as the pause lasts.
inline constexpr char kPausedCondition[] = "Paused";

bool IsPaused(const Json& cluster_object);

// What the condition says: the remedy, and what waits: `actions`, or what is wrong with the spec.
Problem DescribePause(const Json& cluster_object, const std::vector<Action>& actions,
                      const std::vector<api::FieldError>& errors);

}  // namespace holdfast::storagecluster
