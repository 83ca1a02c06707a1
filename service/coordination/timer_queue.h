// One thread that calls back at given times: the deadlines of what waits, so that nothing that waits needs a thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace holdfast::coordination {

// Thread-safe. Tasks are short and do not throw; they may add and cancel timers, but not destroy the queue. Tasks not
// yet due when the queue is destroyed never run.
class TimerQueue {
 public:
  using Id = std::uint64_t;  // never 0
  using Time = std::chrono::steady_clock::time_point;

  TimerQueue();
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  // Calls `task` once, not before `when`.
  Id At(Time when, std::function<void()> task);
  // Does nothing when the task has begun; does not wait for it.
  void Cancel(Id id);

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::pair<Time, Id>, std::function<void()>> waiting_;  // guarded by mutex_
  std::unordered_map<Id, Time> times_;                            // guarded by mutex_; of what waits
  Id last_id_ = 0;                                                // guarded by mutex_
  bool stopping_ = false;                                         // guarded by mutex_
  std::thread thread_;
};

}  // namespace holdfast::coordination
