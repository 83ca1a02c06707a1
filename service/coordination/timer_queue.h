// One thread that calls back at given times: the deadlines of what waits, so that nothing that waits needs a thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace holdfast::coordination {

// Thread-safe. Tasks are short and do not throw; they may add and cancel timers, and may let go of the last reference
// to the queue: what a task keeps alive for its own time may own it. Tasks not yet due when the queue is destroyed
// never run.
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
  // Outlives the queue by what its last task takes.
  struct State {
    std::mutex mutex;
    std::condition_variable wake;
    // Guarded by mutex:
    std::map<std::pair<Time, Id>, std::function<void()>> waiting;
    std::unordered_map<Id, Time> times;  // of what waits
    Id last_id = 0;
    bool stopping = false;
  };
  static void Loop(State& state);

  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace holdfast::coordination
