// The connections of a backend to one server: base/pool over libpqxx. A connection that turns out to lead to a standby
// takes those that are idle with it: a failover made a standby of what was the primary.
#pragma once

#include <functional>

#include "base/pool/connection_pool.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/backends/postgres/connection.h"
#include "service/storage/backend.h"

namespace holdfast::storage::postgres {

// Thread-safe.
class ConnectionPool {
 public:
  using Pool = pool::ConnectionPool<Connection>;
  using Lease = Pool::Lease;

  // `options`, `choice` and `watchdog` outlive it. Opens nothing before it is asked, save min_connections in the
  // background.
  ConnectionPool(const PostgresOptions& options, Connection::Purpose purpose, PrimaryChoice& choice,
                 Watchdog& watchdog);

  // kDeadlineExceeded at the deadline, kUnavailable after acquire_timeout, and at once when no connection stands and
  // none can be opened.
  Result<Lease> Acquire(Deadline deadline) { return pool_.Acquire(deadline); }
  // Does `work` on a connection, and again on another when that turned out to lead to a standby, which has done
  // nothing; at most kStandbys times.
  static constexpr int kStandbys = 3;
  Status Use(Deadline deadline, const std::function<Status(Connection&)>& work);
  PoolStatistics statistics() const;
  // Refuses further requests; connections in use are closed when they come back. Idempotent.
  void Close() { pool_.Close(); }

 private:
  Pool pool_;
};

}  // namespace holdfast::storage::postgres
