#include "service/coordination/timer_queue.h"

namespace holdfast::coordination {

TimerQueue::TimerQueue() : thread_([this] { Loop(); }) {}

TimerQueue::~TimerQueue() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

TimerQueue::Id TimerQueue::At(Time when, std::function<void()> task) {
  std::unique_lock lock(mutex_);
  const Id id = ++last_id_;
  times_.emplace(id, when);
  const auto place = waiting_.emplace(std::pair(when, id), std::move(task)).first;
  const bool is_first = place == waiting_.begin();
  lock.unlock();
  if (is_first) wake_.notify_one();
  return id;
}

void TimerQueue::Cancel(Id id) {
  std::function<void()> dropped;  // destroyed without the lock: it may hold what cancels timers in its destructor
  std::lock_guard lock(mutex_);
  const auto found = times_.find(id);
  if (found == times_.end()) return;
  const auto task = waiting_.find({found->second, id});
  dropped = std::move(task->second);
  waiting_.erase(task);
  times_.erase(found);
}

void TimerQueue::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const auto next = waiting_.begin();
    if (next->first.first > std::chrono::steady_clock::now()) {
      // Copied: the row may be cancelled while nobody holds the lock.
      const Time when = next->first.first;
      wake_.wait_until(lock, when);
      continue;
    }
    std::function<void()> task = std::move(next->second);
    times_.erase(next->first.second);
    waiting_.erase(next);
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace holdfast::coordination
