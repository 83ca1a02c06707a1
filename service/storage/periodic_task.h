// A thread that runs a task again and again: sweepers, timed syncs. The interval is real time, measured from the end
// of one run to the start of the next; what the task itself takes for the time is its own choice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace holdfast::storage {

class PeriodicTask {
 public:
  PeriodicTask(std::chrono::microseconds interval, std::function<void()> task);
  ~PeriodicTask() { Stop(); }
  PeriodicTask(const PeriodicTask&) = delete;
  PeriodicTask& operator=(const PeriodicTask&) = delete;

  // Returns when the run in progress, if any, has ended; none starts afterwards. Idempotent. Not from the task itself.
  void Stop();

 private:
  void Loop();

  const std::chrono::microseconds interval_;
  const std::function<void()> task_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::storage
