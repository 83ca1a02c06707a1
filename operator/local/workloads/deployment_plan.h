// What the Deployment controller does next: decided from what is, without a client. One step at a time, as in
// Kubernetes: the next step waits until this one shows in the status of the ReplicaSets.
// Source of the arithmetic: kubernetes/kubernetes, pkg/controller/deployment/rolling.go and progress.go.
//
// Unlike the real controller it does not spread a change of replicas over several ReplicaSets in proportion: it goes to
// the newest.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct DeploymentPlan {
  std::optional<Json> new_set;                                 // a ReplicaSet to create
  std::vector<std::pair<std::string, std::int64_t>> to_scale;  // ReplicaSets, and to how many
  std::vector<std::string> sets_to_delete;                     // beyond revisionHistoryLimit
  Json status;                                                 // the whole status
  std::optional<Timestamp> look_again;                         // when the progress deadline passes
};

// `sets`: the ReplicaSets it controls; `pods`: theirs.
DeploymentPlan PlanDeployment(const Json& deployment, const std::vector<Json>& sets, const std::vector<Json>& pods,
                              Timestamp now);

}  // namespace holdfast::local
