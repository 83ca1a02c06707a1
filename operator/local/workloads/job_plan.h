// What the Job controller does next: decided from what is, without a client.
// Source of the rules: kubernetes.io/docs/concepts/workloads/controllers/job.
//
// Unlike the real controller it counts the pods that are there, without finalizers of its own: a finished pod that
// somebody deletes before the Job is finished is not counted any more. Indexed completion and success policies are not
// run, nor pod failure policies by a pod's conditions (by exit codes they are).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct JobPlan {
  std::vector<Json> pods;                   // to create
  std::vector<std::string> pods_to_delete;  // names
  bool delete_job = false;                  // ttlSecondsAfterFinished has passed
  Json status;                              // the whole status
  std::optional<Timestamp> look_again;
};

// `pods`: those the job controls.
JobPlan PlanJob(const Json& job, const std::vector<Json>& pods, Timestamp now);

}  // namespace holdfast::local
