#include "service/backends/postgres/connection_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"

namespace holdfast::storage::postgres {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTidyInterval{1};
// Between two attempts while the server refuses.
constexpr std::chrono::milliseconds kRetryPause{100};

Error Closed() {
  return {ErrorCode::kUnavailable, "the postgres backend is closed"};
}

}  // namespace

ConnectionPool::ConnectionPool(const PostgresOptions& options, Connection::Purpose purpose, PrimaryChoice& choice,
                               Watchdog& watchdog)
    : options_(options), purpose_(purpose), choice_(choice), watchdog_(watchdog), opener_([this] { OpenerLoop(); }) {
  counted_.max = static_cast<std::uint64_t>(options_.max_connections);
}

bool ConnectionPool::IsOld(const Connection& connection) const {
  return options_.max_lifetime.count() > 0 && SteadyClock::now() - connection.opened_at() > options_.max_lifetime;
}

Result<ConnectionPool::Lease> ConnectionPool::Acquire(Deadline deadline) {
  std::vector<std::unique_ptr<Connection>> dead;  // closed behind the lock
  std::unique_lock lock(mutex_);
  if (closed_) return Closed();
  ++counted_.acquired;
  while (waiters_.empty() && !idle_.empty()) {
    Idle idle = std::move(idle_.back());
    idle_.pop_back();
    if (Proven(idle, lock, deadline, &dead)) return Lease(*this, std::move(idle.connection));
  }
  if (closed_) return Closed();

  Waiter waiter;
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  if (Wanted()) opener_wake_.notify_one();
  if (open_ >= options_.max_connections) ++counted_.waited;
  const Deadline patience = Deadline::After(options_.acquire_timeout);
  const auto until = deadline.Sooner(patience).WaitUntil();
  waiter.ready.wait_until(lock, until, [&] { return waiter.connection || waiter.error; });
  if (waiter.connection) return Lease(*this, std::move(waiter.connection));
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

Status ConnectionPool::Use(Deadline deadline, const std::function<Status(Connection&)>& work) {
  Status done;
  for (int standbys = 0; standbys < kStandbys; ++standbys) {
    HOLDFAST_ASSIGN_OR_RETURN(const Lease connection, Acquire(deadline));
    done = work(*connection);
    if (done.ok() || !connection->refused_writes() || deadline.Expired()) return done;
  }
  return done;
}

bool ConnectionPool::Proven(Idle& idle, std::unique_lock<std::mutex>& lock, Deadline deadline,
                            std::vector<std::unique_ptr<Connection>>* dead) {
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
  if (server_fails) DropIdle(dead);
  return false;
}

void ConnectionPool::DropIdle(std::vector<std::unique_ptr<Connection>>* dead) {
  open_ -= static_cast<int>(idle_.size());
  counted_.closed += idle_.size();
  for (Idle& idle : idle_) dead->push_back(std::move(idle.connection));
  idle_.clear();
}

void ConnectionPool::HandOver(std::unique_ptr<Connection> connection) {
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

void ConnectionPool::Release(std::unique_ptr<Connection> connection) {
  std::vector<std::unique_ptr<Connection>> dropped;  // closed behind the lock
  {
    std::lock_guard lock(mutex_);
    const bool keep = !closed_ && connection->usable() && !IsOld(*connection);
    if (keep) return HandOver(std::move(connection));
    --open_;
    ++counted_.closed;
    if (!connection->usable()) suspect_until_ = SteadyClock::now();
    if (connection->refused_writes()) DropIdle(&dropped);
    if (Wanted()) opener_wake_.notify_one();
  }
  connection.reset();
}

bool ConnectionPool::Wanted() const {
  if (closed_) return false;
  return open_ < options_.min_connections || (!waiters_.empty() && open_ < options_.max_connections);
}

std::vector<std::unique_ptr<Connection>> ConnectionPool::TakeStale() {
  std::vector<std::unique_ptr<Connection>> stale;
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

void ConnectionPool::OpenOne(std::unique_lock<std::mutex>& lock) {
  ++open_;
  lock.unlock();
  Result<std::unique_ptr<Connection>> opened = Connection::Open(options_, purpose_, choice_, watchdog_);
  lock.lock();
  if (opened.ok()) {
    ++counted_.opened;
    if (!closed_) return HandOver(std::move(*opened));
    --open_;
    return;
  }
  --open_;
  ++counted_.failures;
  next_attempt_ = SteadyClock::now() + kRetryPause;
  // While others stand, one of those may still come free.
  if (open_ > 0) return;
  for (Waiter* waiter : waiters_) {
    waiter->error = opened.error();
    waiter->ready.notify_one();
  }
  waiters_.clear();
}

void ConnectionPool::OpenerLoop() {
  std::unique_lock lock(mutex_);
  auto next_tidying = SteadyClock::now() + kTidyInterval;
  while (!closed_) {
    const auto now = SteadyClock::now();
    if (now >= next_tidying) {
      std::vector<std::unique_ptr<Connection>> stale = TakeStale();
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

PoolStatistics ConnectionPool::statistics() const {
  std::lock_guard lock(mutex_);
  PoolStatistics statistics = counted_;
  statistics.idle = idle_.size();
  statistics.in_use = static_cast<std::uint64_t>(open_) - idle_.size();
  statistics.waiting = waiters_.size();
  return statistics;
}

void ConnectionPool::Close() {
  std::lock_guard close(close_mutex_);
  std::deque<Idle> dropped;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(idle_);
    open_ -= static_cast<int>(dropped.size());
    for (Waiter* waiter : waiters_) {
      waiter->error = Closed();
      waiter->ready.notify_one();
    }
    waiters_.clear();
    opener_wake_.notify_one();
  }
  if (opener_.joinable()) opener_.join();
}

}  // namespace holdfast::storage::postgres
