#include "base/pool/connection_pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace holdfast::pool {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTidyInterval{1};

}  // namespace

class UntypedPool::Impl {
 public:
  Impl(Options options, Opener open)
      : options_(std::move(options)),
        open_connection_(std::move(open)),
        reopening_(options_.reopening),
        opener_([this] { OpenerLoop(); }) {
    counted_.max = static_cast<std::uint64_t>(options_.max_connections);
  }

  Result<std::unique_ptr<Pooled>> Acquire(Deadline deadline);
  void Release(std::unique_ptr<Pooled> connection);
  Statistics statistics() const;
  void Close();

 private:
  using Connections = std::vector<std::unique_ptr<Pooled>>;
  struct Waiter {
    std::condition_variable ready;
    std::unique_ptr<Pooled> connection;
    std::optional<Error> error;
  };
  struct Idle {
    std::unique_ptr<Pooled> connection;
    SteadyClock::time_point since;
  };

  Error Closed() const { return {ErrorCode::kUnavailable, fmt::format("{} is closed", options_.owner)}; }
  bool IsOld(const Pooled& connection) const {
    return options_.max_lifetime.count() > 0 && SteadyClock::now() - connection.opened_at() > options_.max_lifetime;
  }
  // Whether it may be used, which is asked of the server without the lock; what may not is moved to `dead`.
  bool Proven(Idle& idle, std::unique_lock<std::mutex>& lock, Deadline deadline, Connections* dead);
  void TakeIdle(Connections* dead);  // with mutex_ held
  // To the first who waits, or among the idle.
  void HandOver(std::unique_ptr<Pooled> connection);  // with mutex_ held
  bool Wanted() const;                                // with mutex_ held; another is to be opened
  void FailWaiters(const Error& error);               // with mutex_ held
  void OpenerLoop();
  void OpenOne(std::unique_lock<std::mutex>& lock);
  Connections TakeStale();  // with mutex_ held

  const Options options_;
  const Opener open_connection_;

  mutable std::mutex mutex_;
  SteadyClock::time_point suspect_until_{};  // guarded by mutex_; what was used last before is asked
  std::condition_variable opener_wake_;
  std::deque<Idle> idle_;                   // guarded by mutex_; the last was used last
  std::list<Waiter*> waiters_;              // guarded by mutex_
  int open_ = 0;                            // guarded by mutex_; idle, in use and being opened
  bool closed_ = false;                     // guarded by mutex_
  Statistics counted_;                      // guarded by mutex_
  Backoff reopening_;                       // guarded by mutex_
  SteadyClock::time_point next_attempt_{};  // guarded by mutex_; after a failure
  std::mutex close_mutex_;                  // one Close joins, others wait for it
  std::thread opener_;
};

Result<std::unique_ptr<Pooled>> UntypedPool::Impl::Acquire(Deadline deadline) {
  Connections dead;  // closed behind the lock
  std::unique_lock lock(mutex_);
  if (closed_) return Closed();
  ++counted_.acquired;
  while (waiters_.empty() && !idle_.empty()) {
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    if (Proven(idle, lock, deadline, &dead)) return std::move(idle.connection);
  }
  if (closed_) return Closed();

  Waiter waiter;
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  if (Wanted()) opener_wake_.notify_one();
  if (open_ >= options_.max_connections) ++counted_.waited;
  const Deadline patience = Deadline::After(options_.acquire_timeout);
  const auto until = deadline.Sooner(patience).WaitUntil();
  waiter.ready.wait_until(lock, until, [&] { return waiter.connection || waiter.error; });
  if (waiter.connection) return std::move(waiter.connection);
  if (waiter.error) return *waiter.error;
  waiters_.erase(place);
  ++counted_.timeouts;
  if (deadline.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while a connection was awaited");
  }
  return Error(
      ErrorCode::kUnavailable,
      fmt::format("no connection came free within acquire_timeout, {} of pool_max {} are open: try again later", open_,
                  options_.max_connections));
}

bool UntypedPool::Impl::Proven(Idle& idle, std::unique_lock<std::mutex>& lock, Deadline deadline, Connections* dead) {
  bool good = idle.connection->usable() && !idle.connection->HungUp() && !IsOld(*idle.connection);
  bool server_fails = false;
  if (good && idle.since <= suspect_until_) {
    lock.unlock();
    good = idle.connection->Answers(deadline.Sooner(Deadline::After(kProbePatience)));
    lock.lock();
    // A caller in a hurry proves nothing.
    server_fails = !good && !deadline.Expired();
  }
  if (good) return true;
  --open_;
  ++counted_.closed;
  dead->push_back(std::move(idle.connection));
  if (server_fails) TakeIdle(dead);
  return false;
}

void UntypedPool::Impl::TakeIdle(Connections* dead) {
  open_ -= static_cast<int>(idle_.size());
  counted_.closed += idle_.size();
  for (Idle& idle : idle_) dead->push_back(std::move(idle.connection));
  idle_.clear();
}

void UntypedPool::Impl::HandOver(std::unique_ptr<Pooled> connection) {
  if (waiters_.empty()) {
    idle_.push_back({std::move(connection), SteadyClock::now()});
    return;
  }
  Waiter* first = waiters_.front();
  waiters_.pop_front();
  first->connection = std::move(connection);
  // Under the lock: the waiter may be gone right after it is let go.
  first->ready.notify_one();
}

void UntypedPool::Impl::Release(std::unique_ptr<Pooled> connection) {
  Connections dropped;  // closed behind the lock
  std::lock_guard lock(mutex_);
  const bool keep = !closed_ && connection->usable() && !IsOld(*connection);
  if (keep) return HandOver(std::move(connection));
  --open_;
  ++counted_.closed;
  if (!connection->usable()) suspect_until_ = SteadyClock::now();
  if (connection->misdirected()) TakeIdle(&dropped);
  if (Wanted()) opener_wake_.notify_one();
  dropped.push_back(std::move(connection));
}

bool UntypedPool::Impl::Wanted() const {
  if (closed_) return false;
  return open_ < options_.min_connections || (!waiters_.empty() && open_ < options_.max_connections);
}

UntypedPool::Impl::Connections UntypedPool::Impl::TakeStale() {
  Connections stale;
  const auto now = SteadyClock::now();
  for (auto idle = idle_.begin(); idle != idle_.end();) {
    const bool unused = open_ > options_.min_connections && now - idle->since > options_.idle_timeout;
    if (!unused && idle->connection->usable() && !IsOld(*idle->connection) && !idle->connection->HungUp()) {
      ++idle;
      continue;
    }
    stale.push_back(std::move(idle->connection));
    idle = idle_.erase(idle);
    --open_;
    ++counted_.closed;
  }
  return stale;
}

void UntypedPool::Impl::FailWaiters(const Error& error) {
  for (Waiter* waiter : waiters_) {
    waiter->error = error;
    waiter->ready.notify_one();
  }
  waiters_.clear();
}

void UntypedPool::Impl::OpenOne(std::unique_lock<std::mutex>& lock) {
  ++open_;
  lock.unlock();
  Result<std::unique_ptr<Pooled>> opened = open_connection_();
  lock.lock();
  if (opened.ok()) {
    ++counted_.opened;
    reopening_.Reset();
    if (!closed_) return HandOver(std::move(*opened));
    --open_;
    return;
  }
  --open_;
  ++counted_.failures;
  next_attempt_ = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(reopening_.Next());
  // While others stand, one of those may still come free.
  if (open_ == 0) FailWaiters(opened.error());
}

void UntypedPool::Impl::OpenerLoop() {
  std::unique_lock lock(mutex_);
  auto next_tidying = SteadyClock::now() + kTidyInterval;
  while (!closed_) {
    const auto now = SteadyClock::now();
    if (now >= next_tidying) {
      Connections stale = TakeStale();
      next_tidying = now + kTidyInterval;
      lock.unlock();
      stale.clear();
      lock.lock();
      continue;
    }
    if (Wanted() && now >= next_attempt_) {
      OpenOne(lock);
      continue;
    }
    opener_wake_.wait_until(lock, Wanted() ? std::min(next_attempt_, next_tidying) : next_tidying);
  }
}

Statistics UntypedPool::Impl::statistics() const {
  std::lock_guard lock(mutex_);
  Statistics statistics = counted_;
  statistics.idle = idle_.size();
  statistics.in_use = static_cast<std::uint64_t>(open_) - idle_.size();
  statistics.waiting = waiters_.size();
  return statistics;
}

void UntypedPool::Impl::Close() {
  std::lock_guard close(close_mutex_);
  Connections dropped;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    TakeIdle(&dropped);
    FailWaiters(Closed());
    opener_wake_.notify_one();
  }
  if (opener_.joinable()) opener_.join();
}

UntypedPool::UntypedPool(Options options, Opener open)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(open))) {}
UntypedPool::~UntypedPool() {
  Close();
}
Result<std::unique_ptr<Pooled>> UntypedPool::Acquire(Deadline deadline) {
  return impl_->Acquire(deadline);
}
void UntypedPool::Release(std::unique_ptr<Pooled> connection) {
  impl_->Release(std::move(connection));
}
Statistics UntypedPool::statistics() const {
  return impl_->statistics();
}
void UntypedPool::Close() {
  impl_->Close();
}

}  // namespace holdfast::pool
