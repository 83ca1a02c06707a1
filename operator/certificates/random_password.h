// Passwords nobody chose, for the database roles of a cluster. Thread-safe.
#pragma once

#include <string>

#include "base/result/result.h"

namespace holdfast::certificates {

// 43 characters of A-Z a-z 0-9 - _ that carry 256 bit from the system's random source: nothing that a shell, YAML, SQL
// or a connection string would have to be told to leave alone. kUnavailable when that source fails.
Result<std::string> RandomPassword();

}  // namespace holdfast::certificates
