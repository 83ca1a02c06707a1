#include "service/coordination/timer_queue.h"

namespace holdfast::coordination {

TimerQueue::TimerQueue() : state_(std::make_shared<State>()), thread_([state = state_] { Loop(*state); }) {}

TimerQueue::~TimerQueue() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  // A thread cannot wait for itself; it has only to come back from the task it is in.
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

TimerQueue::Id TimerQueue::At(Time when, std::function<void()> task) {
  std::unique_lock lock(state_->mutex);
  const Id id = ++state_->last_id;
  state_->times.emplace(id, when);
  const auto place = state_->waiting.emplace(std::pair(when, id), std::move(task)).first;
  const bool is_first = place == state_->waiting.begin();
  lock.unlock();
  if (is_first) state_->wake.notify_one();
  return id;
}

void TimerQueue::Cancel(Id id) {
  std::function<void()> dropped;  // destroyed without the lock: it may hold what cancels timers in its destructor
  std::lock_guard lock(state_->mutex);
  const auto found = state_->times.find(id);
  if (found == state_->times.end()) return;
  const auto task = state_->waiting.find({found->second, id});
  dropped = std::move(task->second);
  state_->waiting.erase(task);
  state_->times.erase(found);
}

void TimerQueue::Loop(State& state) {
  std::unique_lock lock(state.mutex);
  while (!state.stopping) {
    if (state.waiting.empty()) {
      state.wake.wait(lock);
      continue;
    }
    const auto next = state.waiting.begin();
    if (next->first.first > std::chrono::steady_clock::now()) {
      // Copied: the row may be cancelled while nobody holds the lock.
      const Time when = next->first.first;
      state.wake.wait_until(lock, when);
      continue;
    }
    std::function<void()> task = std::move(next->second);
    state.times.erase(next->first.second);
    state.waiting.erase(next);
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace holdfast::coordination
