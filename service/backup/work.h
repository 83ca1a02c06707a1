// One run on its way: by when it has to end, whether it is still wanted, how fast it may go, which share of the time it
// may work, and how far it is.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string_view>

#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::backup {

// Of a service that is told nothing else: writers lose a fifth of what they do at most (bench_backup).
inline constexpr int kDefaultWorkPercent = 25;

struct Pace {
  std::uint64_t rate = 0;  // bytes per second to and from the target; 0: any
  int work_percent = 100;  // of the time between two rests; the remainder is left to those who use the store
};

struct Progress {
  std::string_view step;
  std::uint64_t bytes = 0;
  std::uint64_t total_bytes = 0;  // 0: not known
};

// Driven by one thread; progress may be asked by any, and any may stop it.
class Work {
 public:
  Work(const Pace& pace, Deadline deadline, std::stop_token stop)
      : pace_(pace), deadline_(deadline), stop_(std::move(stop)) {}

  Deadline deadline() const { return deadline_; }
  // kDeadlineExceeded, kCancelled.
  Status GoOn() const;
  // Before so many bytes are moved; waits until the rate allows it. As GoOn.
  Status Spend(std::uint64_t bytes);
  // Behind a piece of what need not be done soon: rests for as long as the work since the last rest asks for. As GoOn.
  Status Rest();

  // `step`: a constant.
  void Enter(std::string_view step, std::uint64_t total_bytes);
  Progress progress() const;

 private:
  void WaitUntil(std::chrono::steady_clock::time_point time);

  const Pace pace_;
  const Deadline deadline_;
  const std::stop_token stop_;
  std::chrono::steady_clock::time_point free_{};                                           // when the rate allows more
  std::chrono::steady_clock::time_point worked_since_ = std::chrono::steady_clock::now();  // but for waits

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  Progress progress_;  // guarded by mutex_
};

}  // namespace holdfast::backup
