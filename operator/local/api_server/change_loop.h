// A thread that looks at everything again after any change in the API server, and at a time of its own choosing: the
// level-based loop of the controllers of this room's neighbours.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/time/clock.h"
#include "operator/local/api_server/api_server.h"

namespace holdfast::local {

class ChangeLoop {
 public:
  // Looks at everything once; gives back when to look again though nothing changes.
  using Pass = std::function<std::optional<Timestamp>(const std::stop_token& stop)>;

  // Begins with a pass. `api` and `clock` must outlive it.
  ChangeLoop(ApiServer& api, const Clock& clock, Pass pass);
  // Ends after the pass under way.
  ~ChangeLoop() = default;

 private:
  std::jthread thread_;
};

}  // namespace holdfast::local
