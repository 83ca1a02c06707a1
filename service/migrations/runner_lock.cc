#include "service/migrations/runner_lock.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace holdfast::migrations {
namespace {

// The lock of a runner that has just ended is free within some milliseconds; one that works has it for longer.
constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kLongestPause{500};
constexpr std::chrono::seconds kAnswer{30};

// One 64-bit number for each schema. Advisory locks belong to a database, so that another one's schema of the same name
// is not in the way.
constexpr std::string_view kLock = "hashtextextended('holdfast migrations ' || $1, 0)";

// Nothing when it ended between the two questions.
Result<std::string> Holder(Connection& connection, const std::string& schema) {
  HOLDFAST_ASSIGN_OR_RETURN(
      const auto rows,
      connection.Run(fmt::format("SELECT l.pid, a.usename, a.client_addr, date_trunc('second', a.backend_start) "
                                 "FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
                                 "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
                                 "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                                 "AND (l.classid::bigint << 32 | l.objid::bigint) = {}",
                                 kLock),
                     Deadline::After(kAnswer), {schema}));
  if (rows.empty()) return std::string{};
  const Row& row = rows.front();
  return fmt::format("server process {}, user {}, from {}, since {}", row[0].value_or("?"), row[1].value_or("?"),
                     row[2].value_or("this machine"), row[3].value_or("?"));
}

}  // namespace

Status AcquireRunnerLock(Connection& connection, const std::string& schema, Deadline deadline,
                         const std::function<void(const std::string& holder)>& waiting) {
  std::string told;
  std::chrono::milliseconds pause = kFirstPause;
  // Asked for again and again instead of waited for: a waiter in the server would hold a snapshot, and the CREATE INDEX
  // CONCURRENTLY of the runner that works would wait for that.
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto locked, connection.Value(fmt::format("SELECT pg_try_advisory_lock({})", kLock),
                                                                  Deadline::After(kAnswer), {schema}));
    if (locked == "t") return {};
    HOLDFAST_ASSIGN_OR_RETURN(std::string holder, Holder(connection, schema));
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded,
                   fmt::format("another runner holds the schema for longer than migrations.runner_wait: {}",
                               holder.empty() ? "one that has just ended" : holder));
    }
    if (!holder.empty() && holder != told) {
      waiting(holder);
      told = std::move(holder);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
  }
}

}  // namespace holdfast::migrations
