// Locks that can be waited for. Waiting takes no thread: a waiter is a place in a queue, one queue per lock, served in
// the order of arrival by whoever asks next in this process; between several service instances there is no order.
//
// The first of a queue tries again when the lock's row goes (this is a ChangeListener of the backend), when its TTL has
// passed, and every kRecheckInterval, which is how a release by another instance is noticed.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/coordination/locks.h"
#include "service/coordination/timer_queue.h"
#include "service/storage/change_listener.h"
#include "service/storage/tenant_view.h"

namespace holdfast::coordination {

struct LockOptions {
  std::size_t max_waiters_per_lock = 1'000;
  std::size_t max_waiters = 10'000;  // of one store
};

inline constexpr std::chrono::seconds kRecheckInterval{1};
// How long one try may take in the backend.
inline constexpr std::chrono::seconds kAttemptTimeout{10};

// How an acquire ended: with a grant; held by somebody else all the time; or an error (kUnavailable: too many
// wait already; kDeadlineExceeded: `deadline` passed before the lock was known to be held; kUnavailable: `run` refused
// or the service is stopping).
using Acquired = Result<std::variant<Grant, Holder>>;

struct AcquireRequest {
  storage::TenantView tenant;
  std::string name;
  std::string owner;
  std::chrono::microseconds ttl{};
  // How long to wait for a lock that is held; at most until `deadline`. Zero: one try.
  std::chrono::microseconds wait{};
  Deadline deadline = Deadline::Infinite();
  // Runs a task that may block; false when it cannot (execution::Executor::Run of the store).
  std::function<bool(std::function<void()>)> run;
};

// Thread-safe. Owned by a shared_ptr: tries in progress keep it alive.
class LockService final : public storage::ChangeListener, public std::enable_shared_from_this<LockService> {
 private:
  struct Waiter;
  struct Queue;

 public:
  using Done = std::function<void(Acquired)>;
  // A place in a queue, for Cancel.
  using Ticket = std::weak_ptr<Waiter>;

  // `store` labels the metrics. The references outlive the service.
  LockService(const LockOptions& options, std::string_view store, std::shared_ptr<Locks> locks, const Clock& clock,
              TimerQueue& timers, metrics::Registry& registry);
  ~LockService() override;

  // Calls `done` exactly once, from any thread, possibly before it returns. `done` is short and does not throw.
  Ticket Acquire(AcquireRequest request, Done done);
  // Whoever waited is gone: it is not granted the lock any more, and its `done` is not called. A lock that a try just
  // takes for it is released again. False: too late, `done` has been called, or is about to be, perhaps with a grant.
  bool Cancel(const Ticket& ticket);
  // Answers everyone who waits with kUnavailable; later Acquires likewise.
  void Stop();

  void OnChange(std::string_view key, const storage::EntryPtr& before, const storage::EntryPtr& after,
                storage::ChangeCause cause) noexcept override;
  // A release may be among it: every waiter tries again.
  void OnMissed() noexcept override;

  // Counts an operation that was made without waiting: "extend" or "release"; `result` is "ok", "lost" or "error".
  void Count(std::string_view operation, std::string_view result);
  std::size_t waiting() const;

 private:
  using WaiterPtr = std::shared_ptr<Waiter>;
  using QueuePtr = std::shared_ptr<Queue>;
  // Those to be answered once mutex_ is released.
  using Answers = std::vector<std::pair<WaiterPtr, Acquired>>;

  // With mutex_ held.
  void Remove(Queue& queue, const WaiterPtr& waiter);
  void AnswerThoseWhoDoNotWait(Queue& queue, const Holder& holder, Answers* answers);
  void RecheckLater(const QueuePtr& queue, const Holder& holder);
  void DropIfEmpty(const QueuePtr& queue);
  bool ClaimTry(Queue& queue);

  // Without mutex_.
  void RunTry(const QueuePtr& queue);
  void Try(const QueuePtr& queue, const WaiterPtr& waiter);
  // One try, and when its answer was lost as many more of the same lease as it takes to know.
  Acquired TryUntilKnown(const AcquireRequest& request, const Lease& lease) const;
  // True when the next try has been claimed and is the caller's to run.
  bool Conclude(const QueuePtr& queue, const WaiterPtr& waiter, Acquired result);
  void Wake(const std::string& key);
  void GiveUp(const WaiterPtr& waiter);
  void Answer(Answers&& answers);
  metrics::Counter& Counter(std::string_view operation, std::string_view result);

  // Constant after construction.
  const LockOptions options_;
  const std::string store_;
  const std::shared_ptr<Locks> locks_;
  const Clock& clock_;
  TimerQueue& timers_;
  metrics::Registry& registry_;
  metrics::Gauge& waiting_gauge_;

  // Written under mutex_; lets OnChange pass without it while nobody waits.
  std::atomic<std::size_t> waiting_{0};

  mutable std::mutex mutex_;
  std::unordered_map<std::string, QueuePtr> queues_;  // guarded by mutex_; by the lock row's key in the backend
  bool stopped_ = false;                              // guarded by mutex_
};

}  // namespace holdfast::coordination
