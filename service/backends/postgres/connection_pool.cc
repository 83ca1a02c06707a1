#include "service/backends/postgres/connection_pool.h"

namespace holdfast::storage::postgres {
namespace {

// Between two attempts while the server refuses: short and steady, since libpq tries several hosts and a failover
// should be noticed soon.
constexpr std::chrono::milliseconds kRetryPause{100};

pool::Options PoolOptions(const PostgresOptions& options) {
  pool::Options pool;
  pool.owner = "the postgres backend";
  pool.min_connections = options.min_connections;
  pool.max_connections = options.max_connections;
  pool.acquire_timeout = options.acquire_timeout;
  pool.idle_timeout = options.idle_timeout;
  pool.max_lifetime = options.max_lifetime;
  pool.reopening = {kRetryPause, kRetryPause, 0.0};
  return pool;
}

}  // namespace

ConnectionPool::ConnectionPool(const PostgresOptions& options, Connection::Purpose purpose, PrimaryChoice& choice,
                               Watchdog& watchdog)
    : pool_(PoolOptions(options),
            [&options, purpose, &choice, &watchdog] { return Connection::Open(options, purpose, choice, watchdog); }) {}

Status ConnectionPool::Use(Deadline deadline, const std::function<Status(Connection&)>& work) {
  Status done;
  for (int standbys = 0; standbys < kStandbys; ++standbys) {
    HOLDFAST_ASSIGN_OR_RETURN(const Lease connection, Acquire(deadline));
    done = work(*connection);
    if (done.ok() || !connection->misdirected() || deadline.Expired()) return done;
  }
  return done;
}

PoolStatistics ConnectionPool::statistics() const {
  const pool::Statistics now = pool_.statistics();
  PoolStatistics statistics;
  statistics.max = now.max;
  statistics.idle = now.idle;
  statistics.in_use = now.in_use;
  statistics.waiting = now.waiting;
  statistics.acquired = now.acquired;
  statistics.waited = now.waited;
  statistics.timeouts = now.timeouts;
  statistics.opened = now.opened;
  statistics.closed = now.closed;
  statistics.failures = now.failures;
  return statistics;
}

}  // namespace holdfast::storage::postgres
