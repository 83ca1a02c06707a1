// One runner at a time for a schema.
#pragma once

#include <functional>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/migrations/connection.h"

namespace holdfast::migrations {

// Held until the connection ends. Calls `waiting` with who holds it when somebody does, and again when that changes.
// kDeadlineExceeded names the holder.
Status AcquireRunnerLock(Connection& connection, const std::string& schema, Deadline deadline,
                         const std::function<void(const std::string& holder)>& waiting);

}  // namespace holdfast::migrations
