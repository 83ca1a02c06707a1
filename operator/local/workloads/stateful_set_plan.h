// What the StatefulSet controller does next: decided from what is, without a client or a clock, so that every order of
// events can be tested. One step at a time, as in Kubernetes: the next step waits until this one shows.
//
// Unlike the real controller it keeps no ControllerRevisions: new pods always come from the current template, whatever
// partition says about ordinals below it.
#pragma once

#include <string>
#include <vector>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct StatefulSetPlan {
  std::vector<Json> claims;                 // PersistentVolumeClaims to create
  std::vector<Json> pods;                   // to create, after the claims
  std::vector<std::string> pods_to_delete;  // names
  Json status;                              // the whole status
};

// `pods`: those the set controls; `claims`: all claims in its namespace.
StatefulSetPlan PlanStatefulSet(const Json& set, const std::vector<Json>& pods, const std::vector<Json>& claims);

// "<set>-<hash of the pod template>".
std::string TemplateRevision(const Json& set);

}  // namespace holdfast::local
