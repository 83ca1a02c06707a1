#include "service/coordination/lock_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "service/storage/key_space.h"

namespace holdfast::coordination {
namespace {

using std::chrono::steady_clock;

// How soon a lock is tried again that should have expired and has not: the backend's clock is behind ours.
constexpr std::chrono::milliseconds kLateExpiry{50};
// How long, and at what intervals, a grant is looked for whose answer was lost. A thread of the store's pool waits.
constexpr std::chrono::seconds kSearch{5};
constexpr std::chrono::milliseconds kSearchPause{50};

Error Stopping() {
  return {ErrorCode::kUnavailable, "the service is stopping; ask again in a moment"};
}

bool Unknown(const Acquired& result) {
  return !result.ok() && result.error().code() == ErrorCode::kOutcomeUnknown;
}

std::string_view ResultName(const Acquired& result) {
  if (!result.ok()) return "error";
  return std::holds_alternative<Grant>(*result) ? "ok" : "held";
}

}  // namespace

// Everything but the request is guarded by the service's mutex_.
struct LockService::Waiter {
  Waiter(AcquireRequest asked, Done answer)
      : request(std::move(asked)), done(std::move(answer)), waits(request.wait > std::chrono::microseconds::zero()) {}

  const AcquireRequest request;
  Done done;
  Lease lease = NewLease();
  std::weak_ptr<Queue> queue;
  bool waits;              // for a lock that is held; else one try is enough
  bool answered = false;   // taken out of its queue
  bool granted = false;    // ... by a try that has not been concluded yet
  bool cancelled = false;  // while it was being tried
  TimerQueue::Id timer = 0;
};

// Everything is guarded by the service's mutex_.
struct LockService::Queue {
  std::string key;
  std::deque<WaiterPtr> waiters;
  bool trying = false;           // the first one is
  bool again = false;            // the row went meanwhile
  std::optional<Holder> holder;  // as last seen
  TimerQueue::Id timer = 0;
};

LockService::LockService(const LockOptions& options, std::string_view store, std::shared_ptr<Locks> locks,
                         const Clock& clock, TimerQueue& timers, metrics::Registry& registry)
    : options_(options),
      store_(store),
      locks_(std::move(locks)),
      clock_(clock),
      timers_(timers),
      registry_(registry),
      waiting_gauge_(registry.GetGauge("holdfast_locks_waiting", "Requests that wait for a lock or an election.",
                                       {{"store", store_}})) {
  // Shown from the start, so that a rate is known from the first one on.
  for (const std::string_view operation : {"acquire", "extend", "release"}) {
    for (const std::string_view result : {"ok", operation == "acquire" ? "held" : "lost", "error"}) {
      Counter(operation, result);
    }
  }
}

LockService::~LockService() = default;

LockService::Ticket LockService::Acquire(AcquireRequest request, Done done) {
  const auto waiter = std::make_shared<Waiter>(std::move(request), std::move(done));
  const AcquireRequest& asked = waiter->request;
  std::string key = asked.tenant.space.Wrap(LockKey(asked.name));

  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    Answer({{waiter, Stopping()}});
    return waiter;
  }
  QueuePtr& queue = queues_[key];
  if (queue == nullptr) {
    queue = std::make_shared<Queue>();
    queue->key = std::move(key);
  }
  const bool full = queue->waiters.size() >= options_.max_waiters_per_lock || waiting_ >= options_.max_waiters;
  if (full || (!waiter->waits && queue->holder && !queue->waiters.empty())) {
    Acquired result = full ? Acquired(Error(ErrorCode::kUnavailable,
                                            fmt::format("{} wait for this lock and {} for any; the limits are {} "
                                                        "(setting locks.waiters_per_lock) and {} (locks.waiters)",
                                                        queue->waiters.size(), waiting_.load(),
                                                        options_.max_waiters_per_lock, options_.max_waiters)))
                           : Acquired(std::variant<Grant, Holder>(*queue->holder));
    DropIfEmpty(QueuePtr(queue));
    lock.unlock();
    Answer({{waiter, std::move(result)}});
    return waiter;
  }
  waiter->queue = queue;
  queue->waiters.push_back(waiter);
  waiting_gauge_.Set(static_cast<double>(++waiting_));
  auto give_up = asked.deadline.WaitUntil();
  if (waiter->waits) give_up = std::min(give_up, steady_clock::now() + asked.wait);
  waiter->timer = timers_.At(give_up, [self = weak_from_this(), place = std::weak_ptr<Waiter>(waiter)] {
    const auto service = self.lock();
    const WaiterPtr late = place.lock();
    if (service != nullptr && late != nullptr) service->GiveUp(late);
  });
  // Behind others, or the holder is known: whoever concludes a try or hears of a change goes on from here.
  const bool first = queue->waiters.size() == 1 && ClaimTry(*queue);
  const QueuePtr mine = queue;
  lock.unlock();
  if (first) RunTry(mine);
  return waiter;
}

bool LockService::ClaimTry(Queue& queue) {
  if (queue.trying) {
    queue.again = true;
    return false;
  }
  if (queue.waiters.empty()) return false;
  queue.trying = true;
  queue.again = false;
  return true;
}

void LockService::RunTry(const QueuePtr& queue) {
  for (bool claimed = true; claimed;) {
    WaiterPtr waiter;
    {
      std::lock_guard lock(mutex_);
      waiter = queue->waiters.front();
    }
    if (waiter->request.run([self = shared_from_this(), queue, waiter] { self->Try(queue, waiter); })) return;
    claimed = Conclude(
        queue, waiter,
        Error(ErrorCode::kUnavailable, "the store's queue is full and nothing was attempted; try again later"));
  }
}

Acquired LockService::TryUntilKnown(const AcquireRequest& request, const Lease& lease) const {
  const auto attempt = [&](Deadline deadline) {
    return locks_->TryAcquire(request.tenant, request.name, request.owner, lease, request.ttl, deadline);
  };
  Acquired first = attempt(Deadline::After(kAttemptTimeout).Sooner(request.deadline));
  if (!Unknown(first)) return first;
  const Deadline until = Deadline::After(kSearch).Sooner(request.deadline);
  while (!until.Expired()) {
    std::this_thread::sleep_for(kSearchPause);
    // Somebody else's grant is as good an answer: the lost attempt can no longer take effect behind it.
    if (Acquired again = attempt(until); again.ok()) return again;
  }
  return first;
}

void LockService::Try(const QueuePtr& queue, const WaiterPtr& waiter) {
  const AcquireRequest& request = waiter->request;
  Acquired result = TryUntilKnown(request, waiter->lease);
  bool unwanted = Unknown(result);
  if (result.ok() && std::holds_alternative<Grant>(*result)) {
    std::lock_guard lock(mutex_);
    unwanted = waiter->cancelled;
    waiter->granted = !unwanted;
  }
  if (unwanted) {
    // Nobody knows of this lease: without this the lock would stay held until its TTL has passed, as it does when this
    // fails.
    const auto released =
        locks_->Release(request.tenant, request.name, waiter->lease, Deadline::After(kAttemptTimeout));
    if (result.ok()) {
      result = released.ok() ? Error(ErrorCode::kCancelled, "whoever asked for the lock is gone") : released.error();
    }
  }
  if (Conclude(queue, waiter, std::move(result))) RunTry(queue);
}

bool LockService::Conclude(const QueuePtr& queue, const WaiterPtr& waiter, Acquired result) {
  Answers answers;
  bool next = false;
  {
    std::lock_guard lock(mutex_);
    queue->trying = false;
    std::optional<Holder> holder;
    if (result.ok()) {
      const auto* const grant = std::get_if<Grant>(&*result);
      holder =
          grant != nullptr ? Holder{waiter->request.owner, grant->token, grant->expires_at} : std::get<Holder>(*result);
    }
    queue->holder = holder;
    const bool still_waits = holder && std::holds_alternative<Holder>(*result) && waiter->waits;
    if (!still_waits || waiter->cancelled) {
      Remove(*queue, waiter);
      if (!waiter->cancelled) answers.emplace_back(waiter, std::move(result));
    }
    if (holder) AnswerThoseWhoDoNotWait(*queue, *holder, &answers);
    // Without a holder the try has told nothing of the lock, and the next one's turn has come.
    next = (!holder || queue->again) && ClaimTry(*queue);
    if (!next && holder && !queue->waiters.empty()) RecheckLater(queue, *holder);
    DropIfEmpty(queue);
  }
  Answer(std::move(answers));
  return next;
}

void LockService::Remove(Queue& queue, const WaiterPtr& waiter) {
  queue.waiters.erase(std::find(queue.waiters.begin(), queue.waiters.end(), waiter));
  waiter->answered = true;
  timers_.Cancel(waiter->timer);
  waiting_gauge_.Set(static_cast<double>(--waiting_));
}

void LockService::AnswerThoseWhoDoNotWait(Queue& queue, const Holder& holder, Answers* answers) {
  const std::deque<WaiterPtr> all = queue.waiters;
  for (const WaiterPtr& waiter : all) {
    if (waiter->waits) continue;
    Remove(queue, waiter);
    answers->emplace_back(waiter, std::variant<Grant, Holder>(holder));
  }
}

void LockService::RecheckLater(const QueuePtr& queue, const Holder& holder) {
  timers_.Cancel(queue->timer);
  const auto remaining = holder.expires_at - clock_.Now();
  const auto delay = remaining <= decltype(remaining)::zero()
                         ? std::chrono::microseconds(kLateExpiry)
                         : std::min<std::chrono::microseconds>(remaining, kRecheckInterval);
  queue->timer = timers_.At(steady_clock::now() + delay, [self = weak_from_this(), key = queue->key] {
    if (const auto service = self.lock()) service->Wake(key);
  });
}

void LockService::DropIfEmpty(const QueuePtr& queue) {
  if (!queue->waiters.empty() || queue->trying) return;
  timers_.Cancel(queue->timer);
  queues_.erase(queue->key);
}

void LockService::Wake(const std::string& key) {
  QueuePtr queue;
  {
    std::lock_guard lock(mutex_);
    const auto found = queues_.find(key);
    if (found == queues_.end() || !ClaimTry(*found->second)) return;
    queue = found->second;
  }
  RunTry(queue);
}

void LockService::GiveUp(const WaiterPtr& waiter) {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    const QueuePtr queue = waiter->queue.lock();
    if (waiter->answered || queue == nullptr) return;
    if (queue->trying && queue->waiters.front() == waiter) {
      waiter->waits = false;  // what the try finds is the answer
      return;
    }
    Remove(*queue, waiter);
    if (queue->holder) {
      answers.emplace_back(waiter, std::variant<Grant, Holder>(*queue->holder));
    } else {
      answers.emplace_back(waiter, Error(ErrorCode::kDeadlineExceeded,
                                         "the deadline passed before the lock was tried; nothing was attempted"));
    }
    DropIfEmpty(queue);
  }
  Answer(std::move(answers));
}

bool LockService::Cancel(const Ticket& ticket) {
  const WaiterPtr waiter = ticket.lock();
  if (waiter == nullptr) return false;
  std::lock_guard lock(mutex_);
  const QueuePtr queue = waiter->queue.lock();
  if (waiter->answered || waiter->granted || queue == nullptr) return false;
  if (queue->trying && queue->waiters.front() == waiter) {
    waiter->cancelled = true;
    return true;
  }
  Remove(*queue, waiter);
  DropIfEmpty(queue);
  return true;
}

void LockService::Stop() {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    std::vector<QueuePtr> queues;
    for (const auto& [key, queue] : queues_) queues.push_back(queue);
    for (const QueuePtr& queue : queues) {
      const std::deque<WaiterPtr> all = queue->waiters;
      for (std::size_t i = queue->trying ? 1 : 0; i < all.size(); ++i) {
        Remove(*queue, all[i]);
        answers.emplace_back(all[i], Stopping());
      }
      if (queue->trying) queue->waiters.front()->waits = false;
      DropIfEmpty(queue);
    }
  }
  Answer(std::move(answers));
}

void LockService::OnChange(std::string_view key, const storage::EntryPtr& /*before*/, const storage::EntryPtr& after,
                           storage::ChangeCause /*cause*/) noexcept {
  if (after != nullptr || waiting_.load(std::memory_order_acquire) == 0) return;
  const auto place = storage::FindPlace(key);
  if (!place || place->room != storage::Room::kLocks) return;
  // Not here: the backend's locks are held.
  timers_.At(steady_clock::now(), [self = weak_from_this(), key = std::string(key)] {
    if (const auto service = self.lock()) service->Wake(key);
  });
}

void LockService::OnMissed() noexcept {
  timers_.At(steady_clock::now(), [self = weak_from_this()] {
    const auto service = self.lock();
    if (!service) return;
    std::vector<std::string> keys;
    {
      std::lock_guard lock(service->mutex_);
      for (const auto& [key, queue] : service->queues_) keys.push_back(key);
    }
    for (const std::string& key : keys) service->Wake(key);
  });
}

metrics::Counter& LockService::Counter(std::string_view operation, std::string_view result) {
  return registry_.GetCounter(
      "holdfast_locks_operations_total", "Operations on locks and elections, by how they ended.",
      {{"store", store_}, {"operation", std::string(operation)}, {"result", std::string(result)}});
}

void LockService::Count(std::string_view operation, std::string_view result) {
  Counter(operation, result).Increment();
}

std::size_t LockService::waiting() const {
  return waiting_.load(std::memory_order_acquire);
}

void LockService::Answer(Answers&& answers) {
  for (auto& [waiter, result] : answers) {
    Count("acquire", ResultName(result));
    Done done = std::move(waiter->done);
    done(std::move(result));
  }
}

}  // namespace holdfast::coordination
