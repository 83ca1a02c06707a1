// Runs Jobs to their end. The part of kube-controller-manager that our operator depends on. Level-based: everything is
// looked at again after any change.
#pragma once

#include <optional>
#include <stop_token>

#include "base/time/clock.h"
#include "operator/local/api_server/change_loop.h"

namespace holdfast::local {

class JobController {
 public:
  // `api` and `clock` must outlive it.
  explicit JobController(ApiServer& api, const Clock& clock = SystemClock());

 private:
  std::optional<Timestamp> Pass(const std::stop_token& stop);
  std::optional<Timestamp> Sync(const Json& job, const Json& pods);

  ApiServer& api_;
  const Clock& clock_;
  ChangeLoop loop_;  // last: it begins with a pass
};

}  // namespace holdfast::local
