// One read replica: whether reads may go there, and the connections they go over.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "service/backends/postgres/beats.h"
#include "service/backends/postgres/connection_pool.h"
#include "service/backends/postgres/reader.h"
#include "service/storage/periodic_task.h"

namespace holdfast::storage::postgres {

// In rotation while what it has shown is younger than max_replication_lag: whatever an answer of it leaves out was
// committed less than max_replication_lag before the read was sent. One that is paused or cut off drops out by the
// passing of time alone; one that fails a read is out until it is seen fresh again; one that cannot be reached is tried
// less and less often, up to every kMostBackOff.
//
// Thread-safe. Has a thread and, for its checks, a connection of its own.
class Replica {
 public:
  static constexpr std::chrono::seconds kMostBackOff{30};

  // `options` are the primary's; name and url are the replica's. Everything else given outlives it.
  Replica(std::string name, const std::string& url, const PostgresOptions& options, const Statements& statements,
          const Clock* clock, const Beats& beats, PrimaryChoice& choice, Watchdog& watchdog,
          std::chrono::milliseconds interval);

  bool InRotation() const;
  const Reader& reader() const { return reader_; }
  // A read failed.
  void Suspend();
  void CountReads(std::uint64_t reads) { reads_.fetch_add(reads, std::memory_order_relaxed); }
  ReplicaStatistics statistics() const;

  // Ends the checks and the connections. Idempotent.
  void Close();

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Check();
  // What it shows; the error is why it cannot be asked.
  Result<std::optional<Beats::Sight>> Look();
  void BackOff();
  void TellChange(const Status& looked);

  // Constant after construction.
  const PostgresOptions options_;
  const std::string name_;  // host:port
  const Statements& statements_;
  const Beats& beats_;
  PrimaryChoice& choice_;
  Watchdog& watchdog_;
  const std::chrono::milliseconds interval_;

  std::atomic<std::uint64_t> reads_{0};

  // Touched by the thread only.
  std::unique_ptr<Connection> connection_;
  std::uint64_t proven_history_ = 0;  // it has shown a mark of ours of this history: others of it can be believed
  bool told_in_rotation_ = false;
  Time next_attempt_{};
  std::chrono::milliseconds back_off_{0};

  mutable std::mutex mutex_;
  Time shown_at_;             // guarded by mutex_; it had everything that was committed before
  bool caught_up_ = false;    // guarded by mutex_; at the last look nothing was missing
  bool suspended_ = true;     // guarded by mutex_; until it is seen fresh
  std::uint64_t failed_ = 0;  // guarded by mutex_; reads that failed, which a look that began before cannot excuse

  ConnectionPool pool_;
  Reader reader_;
  // Last, so that its thread ends before what it uses.
  PeriodicTask task_;
};

}  // namespace holdfast::storage::postgres
