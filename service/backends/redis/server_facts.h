// What the backend has to know of a server before it entrusts data to it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/redis/connection.h"
#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::storage::redis_backend {

struct ServerFacts {
  std::string run_id;  // another one at every start
  // Of a master: another one whenever it was a replica in between, and also for harmless reasons (its first replica
  // comes). Empty: it is none.
  std::string history;
  bool append_only = false;
  std::optional<std::string> append_fsync;  // "always", "everysec", "no"; nothing: CONFIG GET is not allowed
  std::string eviction = "noeviction";      // maxmemory-policy
};

Result<ServerFacts> AskFacts(redis::Connection& connection, Deadline deadline);

// From what INFO server, persistence, memory and replication say, one behind the other.
ServerFacts FactsOf(std::string_view info);

// kUnavailable names the setting of the server: an eviction policy that removes rows which have no expiry, so
// that the index and the data part; and, when `durable` is asked for, an append-only file that is off or is not synced
// before the answer.
Status CheckFacts(const ServerFacts& facts, bool durable);

// What an acknowledged write has reached: "sync", "interval", "os", "memory".
std::string_view DurabilityOf(const ServerFacts& facts);

}  // namespace holdfast::storage::redis_backend
