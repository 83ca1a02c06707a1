// What the ReplicaSet controller does next: decided from what is, without a client.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct ReplicaSetPlan {
  std::vector<Json> pods;                   // to create
  std::vector<std::string> pods_to_delete;  // names
  Json status;                              // the whole status
  // When a ready pod becomes an available one (minReadySeconds), though nothing else changes.
  std::optional<Timestamp> look_again;
};

// `pods`: those the set controls. Pods that have ended do not count and stay, as in Kubernetes.
ReplicaSetPlan PlanReplicaSet(const Json& set, const std::vector<Json>& pods, Timestamp now);

}  // namespace holdfast::local
