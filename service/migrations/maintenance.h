// What a schema needs from time to time: partitions made ahead and dropped, samples taken, statistics refreshed. The
// schema itself knows what is due (maintain() of step 0012) and lets one caller at a time do it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/migrations/connection.h"

namespace holdfast::migrations {

struct Maintained {
  std::string task;
  std::string problem;  // empty = done; else it is tried again
};

struct MaintenanceOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  // Of one task; a server that is told so by then records it as the task's problem.
  std::chrono::milliseconds task_timeout{600'000};
  std::function<bool()> stop;  // asked several times a second; may be empty
};

// Does what is due, one task in each transaction. Works behind a pooler, and as a role that may use the schema and
// nothing else. kCancelled when `stop` said so: the task in progress is undone by the server within a second.
Result<std::vector<Maintained>> Maintain(const Target& target, const MaintenanceOptions& options);

}  // namespace holdfast::migrations
