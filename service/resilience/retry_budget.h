// How many calls may be tried again, whoever asks: a share of the calls that were made, and a few a second for when
// there are hardly any. Without it every caller retries just when the backend has least to give, and what would have
// been an overload becomes an outage (Finagle's RetryBudget; gRPC A6, "throttling retry attempts").
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "base/time/clock.h"

namespace holdfast::resilience {

struct RetryBudgetOptions {
  int percent = 20;    // of the calls
  int per_second = 5;  // beside those
  int burst = 50;      // retries that are saved up at most
};

// Thread-safe. In any time of t seconds with c calls it allows at most burst + c * percent / 100 + t * per_second.
class RetryBudget {
 public:
  // Begins with what one second gives. `clock` outlives it.
  explicit RetryBudget(const RetryBudgetOptions& options, const Clock& clock = SystemClock());
  // From now on; what is saved up stays, up to the new burst.
  void SetOptions(const RetryBudgetOptions& options);

  // Of every call that reached the backend, once.
  void NoteCall();
  // False: the call is not to be tried again.
  bool Take();

  std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  void Add(double tokens);  // with mutex_ held

  const Clock& clock_;
  std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex mutex_;
  RetryBudgetOptions options_;  // guarded by mutex_
  double tokens_;               // guarded by mutex_; one is one retry
  MonotonicTime refilled_at_;   // guarded by mutex_
};

}  // namespace holdfast::resilience
