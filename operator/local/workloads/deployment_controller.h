// Makes Deployments so, and the ReplicaSets they are made of. The part of kube-controller-manager that our operator
// depends on. Level-based: everything is looked at again after any change.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/local/api_server/change_loop.h"

namespace holdfast::local {

class DeploymentController {
 public:
  // `api` and `clock` must outlive it.
  explicit DeploymentController(ApiServer& api, const Clock& clock = SystemClock());

 private:
  std::optional<Timestamp> Pass(const std::stop_token& stop);
  std::optional<Timestamp> SyncDeployment(const Json& deployment, const Json& sets, const Json& pods);
  std::optional<Timestamp> SyncReplicaSet(const Json& set, const Json& pods);

  ApiServer& api_;
  const Clock& clock_;
  ChangeLoop loop_;  // last: it begins with a pass
};

}  // namespace holdfast::local
