// The connections of a backend: opened when needed up to a maximum, kept, checked before use, closed when unused or
// old. Who waits gets one in the order of asking. When one turns out to lead to a standby, those that are idle go with
// it: a failover made a standby of what was the primary. When one is lost, or its answer did not come in time, those
// that are idle are asked whether their server answers before they are used again; when one does not, all go: a server
// that hangs holds up no more than one call for kProbePatience after its own deadline.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/backends/postgres/connection.h"
#include "service/storage/backend.h"

namespace holdfast::storage::postgres {

// How long a server may take for a statement that needs nothing.
inline constexpr std::chrono::seconds kProbePatience{1};

// Thread-safe.
class ConnectionPool {
 public:
  // `options`, `choice` and `watchdog` outlive it. Opens nothing before it is asked, save min_connections in the
  // background.
  ConnectionPool(const PostgresOptions& options, Connection::Purpose purpose, PrimaryChoice& choice,
                 Watchdog& watchdog);
  ~ConnectionPool() { Close(); }
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  // Gives its connection back when it goes; one that is no longer usable is closed instead.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->Release(std::move(connection_));
    }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  // kDeadlineExceeded at the deadline, kUnavailable after acquire_timeout, and at once when no connection stands and
  // none can be opened.
  Result<Lease> Acquire(Deadline deadline);
  // Does `work` on a connection, and again on another when that turned out to lead to a standby, which has done
  // nothing; at most kStandbys times.
  static constexpr int kStandbys = 3;
  Status Use(Deadline deadline, const std::function<Status(Connection&)>& work);
  PoolStatistics statistics() const;
  // Refuses further requests; connections in use are closed when they come back. Idempotent.
  void Close();

 private:
  struct Waiter {
    std::condition_variable ready;
    std::unique_ptr<Connection> connection;
    std::optional<Error> error;
  };
  struct Idle {
    std::unique_ptr<Connection> connection;
    std::chrono::steady_clock::time_point since;
  };

  void Release(std::unique_ptr<Connection> connection);
  // Whether it may be used, which is asked of the server without the lock; what may not is moved to `dead`.
  bool Proven(Idle& idle, std::unique_lock<std::mutex>& lock, Deadline deadline,
              std::vector<std::unique_ptr<Connection>>* dead);
  void DropIdle(std::vector<std::unique_ptr<Connection>>* dead);  // with mutex_ held
  // To the first who waits, or among the idle.
  void HandOver(std::unique_ptr<Connection> connection);  // with mutex_ held
  bool Wanted() const;                                    // with mutex_ held; another is to be opened
  void OpenerLoop();
  void OpenOne(std::unique_lock<std::mutex>& lock);
  std::vector<std::unique_ptr<Connection>> TakeStale();  // with mutex_ held
  bool IsOld(const Connection& connection) const;

  const PostgresOptions& options_;
  const Connection::Purpose purpose_;
  PrimaryChoice& choice_;
  Watchdog& watchdog_;

  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point suspect_until_{};  // guarded by mutex_; what was used last before is asked
  std::condition_variable opener_wake_;
  std::deque<Idle> idle_;                                 // guarded by mutex_; the last was used last
  std::list<Waiter*> waiters_;                            // guarded by mutex_
  int open_ = 0;                                          // guarded by mutex_; idle, in use and being opened
  bool closed_ = false;                                   // guarded by mutex_
  PoolStatistics counted_;                                // guarded by mutex_
  std::chrono::steady_clock::time_point next_attempt_{};  // guarded by mutex_; after a failure
  std::mutex close_mutex_;                                // one Close joins, others wait for it
  std::thread opener_;
};

}  // namespace holdfast::storage::postgres
