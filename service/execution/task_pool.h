// Threads of their own for calls that may block, behind a bounded queue: the bulkhead around one backend. A task runs
// in the tracing context of whoever added it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace holdfast::execution {

// Thread-safe. Tasks start in the order they were added.
class TaskPool {
 public:
  TaskPool(int threads, std::size_t max_queued_tasks);
  ~TaskPool() { Drain(); }
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // False when the queue is full or Drain was called; the task was not queued then.
  bool Add(std::function<void()> task);
  // Refuses further tasks, runs those queued and joins. Idempotent. Not from a task.
  void Drain();

 private:
  void Loop();

  const std::size_t max_queued_tasks_;
  std::mutex drain_mutex_;  // one Drain joins, others wait for it

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;  // guarded by mutex_
  bool draining_ = false;                      // guarded by mutex_
  std::vector<std::thread> threads_;           // constant until Drain
};

}  // namespace holdfast::execution
