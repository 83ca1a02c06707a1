// What the status says of a cluster that is paused (operator/api/v1/annotations.h). Pure.
#pragma once

#include "operator/api/v1/annotations.h"
#include "operator/controllers/storagecluster/plan.h"

namespace holdfast::storagecluster {

// The condition that is there, and True, for as long as the pause lasts.
inline constexpr char kPausedCondition[] = "Paused";

// What the condition says: the remedy, and what waits: `actions`, or what is wrong with the spec.
Problem DescribePause(const Json& cluster_object, const std::vector<Action>& actions,
                      const std::vector<api::FieldError>& errors);

}  // namespace holdfast::storagecluster
