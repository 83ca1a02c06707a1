// A Reconciler brings the world to what one object asks for. A request is only a name, so a reconciler is level-based:
// it reads what is, decides what should be, and takes the next step; it is called again whenever anything changed, and
// must do nothing when nothing has to be done.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>

#include "base/result/result.h"
#include "operator/kube/object.h"

namespace holdfast::runtime {

using Request = kube::ObjectKey;

struct Outcome {
  // Look again after this long even if nothing changes; nothing = only when something changes.
  std::optional<std::chrono::milliseconds> requeue_after;
  static Outcome Done() { return {}; }
  static Outcome After(std::chrono::milliseconds delay) { return {delay}; }
};

class Reconciler {
 public:
  virtual ~Reconciler() = default;
  // Different requests may run at the same time, the same one never. An error is retried with the item's back-off.
  virtual Result<Outcome> Reconcile(const Request& request, std::stop_token stop) = 0;
};

}  // namespace holdfast::runtime
