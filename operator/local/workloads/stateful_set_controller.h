// Makes StatefulSets so: pods and claims of every set in the API server, and its status. The part of
// kube-controller-manager that our operator depends on. Level-based: everything is looked at again after any change.
#pragma once

#include <optional>
#include <stop_token>

#include "base/time/clock.h"
#include "operator/local/api_server/change_loop.h"

namespace holdfast::local {

class StatefulSetController {
 public:
  // `api` must outlive it. Its end leaves the pods as they are.
  explicit StatefulSetController(ApiServer& api);

 private:
  std::optional<Timestamp> Pass(const std::stop_token& stop);
  void Sync(const Json& set, const Json& pods, const Json& claims);

  ApiServer& api_;
  ChangeLoop loop_;  // last: it begins with a pass
};

}  // namespace holdfast::local
