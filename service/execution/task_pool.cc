#include "service/execution/task_pool.h"

#include <algorithm>
#include <utility>

#include "service/tracing/context.h"

namespace holdfast::execution {

TaskPool::TaskPool(int threads, std::size_t max_queued_tasks) : max_queued_tasks_(max_queued_tasks) {
  for (int i = 0; i < std::max(threads, 1); ++i) threads_.emplace_back([this] { Loop(); });
}

bool TaskPool::Add(std::function<void()> task) {
  if (auto context = tracing::CurrentContext()) {
    task = [context = std::move(context), task = std::move(task)] {
      const tracing::Scope scope(context);
      task();
    };
  }
  {
    std::lock_guard lock(mutex_);
    if (draining_ || waiting_.size() >= max_queued_tasks_) return false;
    waiting_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void TaskPool::Drain() {
  std::lock_guard drain(drain_mutex_);
  {
    std::lock_guard lock(mutex_);
    draining_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void TaskPool::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return draining_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::function<void()> task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace holdfast::execution
