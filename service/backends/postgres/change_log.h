// Who hears of changes. While this instance is alone its writers tell the listener themselves; while there are others
// every change of every instance goes through the table `changes`, and the listener is told from there, in its order.
//
// Positions are drawn by writers that commit in any order, so a row may appear behind rows of higher positions. Who
// reads must not pass over it: a position that is missing is waited for until every writer that may hold it has ended
// (pg_locks tells who they are). Other writers and other tables hold nothing up.
//
// Notifications only wake: what is read is decided by the position, so a lost connection costs nothing but time. An
// instance that was silent for instance_timeout is taken out by the others; it then joins again and tells its listener
// that it has missed changes. So it does after a failover, when another timeline is written: what the listener was told
// of may be lost there, and its positions may be given again to other changes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <thread>

#include "service/backends/postgres/connection.h"
#include "service/backends/postgres/statements.h"
#include "service/backends/postgres/write_call.h"
#include "service/storage/change_listener.h"

namespace holdfast::storage::postgres {

struct EntryChange {
  std::string_view key;
  EntryPtr before;
  EntryPtr after;
};

// Thread-safe. Has a thread and a connection of its own.
class ChangeLog {
 public:
  // Begins to connect; everything given outlives it.
  ChangeLog(const Statements& statements, const PostgresOptions& options, PrimaryChoice& choice, Watchdog& watchdog);
  ~ChangeLog() { Close(); }
  ChangeLog(const ChangeLog&) = delete;
  ChangeLog& operator=(const ChangeLog&) = delete;

  // Waits until this instance is one of the instances. The error is why it is not yet.
  Status AwaitJoined(Deadline deadline);
  // The others have taken the instance of this number for gone: joins again.
  Status Rejoin(std::int64_t instance, Deadline deadline);
  WriterIdentity identity() const;

  void SetListener(std::shared_ptr<ChangeListener> listener);
  // After the commit and under the keys' locks. Returns when the listener has heard; at the deadline it will hear
  // later.
  void Publish(std::span<const EntryChange> changes, ChangeCause cause, const WriteAnswer& answer, Deadline deadline);

  // Returns when the listener has heard of everything that was logged before the call: a look at the log that was begun
  // behind it has ended well, on the timeline that was read before. False at the deadline.
  bool AwaitCaughtUp(Deadline deadline);

  // Leaves the instances; after the last write. Idempotent.
  void Close();

 private:
  void Loop();
  // Connects, joins, reads what is new. The error is why it could not; the connection may be lost then.
  Status Work();
  Status Connect();
  Status Join();
  Status LookWhoIsThere();
  // The log is not the one that was read before: leaves it and is to join again.
  Status LeaveBehind(std::int64_t instance, bool here);
  // This instance is none any more.
  void Forget(std::int64_t instance);
  // Tells the listener of everything that stands in the log. `to_the_end`: returns only when no writer is left that may
  // hold a position up to `newest`, which has been drawn.
  Status Drain(std::int64_t newest, bool to_the_end);
  // Waits until no writer is left that may hold a position up to now.
  Status AwaitWriters();
  Status Deliver(const pqxx::row& row);
  Status Tidy();
  void Passed(std::int64_t position);
  void AwaitWork();
  void Nudge() const;
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  std::shared_ptr<ChangeListener> listener() const;
  // For each of its own statements.
  Deadline Patience() const;

  const Statements& statements_;
  const PostgresOptions& options_;
  PrimaryChoice& choice_;
  Watchdog& watchdog_;
  const int wake_;  // eventfd

  // Touched by the thread only.
  std::unique_ptr<Connection> connection_;
  bool listening_ = false;
  bool joined_before_ = false;
  std::string timeline_;  // of the log at the last look
  bool failing_ = false;
  std::int64_t settled_ = 0;  // every writer of a position up to here has ended
  std::chrono::steady_clock::time_point next_tidying_{};

  std::atomic<bool> stopping_{false};
  mutable std::atomic<bool> others_wait_{false};  // a writer here has logged something: the others are to be told

  mutable std::mutex mutex_;
  std::condition_variable changed_;           // identity_, position_ or error_
  WriterIdentity identity_;                   // guarded by mutex_; instance 0: not joined
  std::uint64_t looks_begun_ = 0;             // guarded by mutex_; at the log
  std::uint64_t looks_ended_ = 0;             // guarded by mutex_; the number of the last that ended well
  std::int64_t position_ = 0;                 // guarded by mutex_; the listener has heard of all up to here
  std::uint64_t joined_ = 0;                  // guarded by mutex_; how often; positions belong to one time
  Status error_;                              // guarded by mutex_; why it is not joined
  std::shared_ptr<ChangeListener> listener_;  // guarded by mutex_
  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace holdfast::storage::postgres
