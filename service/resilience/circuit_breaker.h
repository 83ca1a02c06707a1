// Whether a backend is asked at all. Closed: it is. Open: it failed too often, calls are refused at once so that
// neither it nor its callers wait for what will fail. Half open: some calls try whether it is back. (M. Nygard,
// "Release It!", 2007, ch. 5.2; a failure rate over a window as in Hystrix and Resilience4j.)
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/time/clock.h"

namespace holdfast::resilience {

struct CircuitBreakerOptions {
  int failure_percent = 50;           // of the operations of the window: opens from here on
  std::uint64_t min_operations = 20;  // in the window; fewer prove nothing
  std::chrono::milliseconds window{10'000};
  std::chrono::milliseconds open_time{5'000};  // until calls try again
  int probes = 3;                              // calls that have to succeed, and that may be under way, while half open
};

enum class CircuitState { kClosed, kHalfOpen, kOpen };

// Thread-safe. While it is closed, admitting costs one load.
class CircuitBreaker {
 public:
  // Of a call that was let through, until it is recorded.
  class Permit {
    friend class CircuitBreaker;
    explicit Permit(std::uint64_t since) : since_(since) {}
    std::uint64_t since_;  // which state it was given in
  };

  // `clock` outlives it.
  explicit CircuitBreaker(const CircuitBreakerOptions& options, const Clock& clock = SystemClock());
  // From now on; its state stays. Another window begins empty.
  void SetOptions(const CircuitBreakerOptions& options);

  // Nothing: the call is refused. Every permit is recorded, exactly once.
  std::optional<Permit> Admit();
  // How many of its operations the backend answered, and how many failed for its sake. Neither: the call said nothing
  // of the backend. A call that was let through before the state changed changes nothing.
  void Record(Permit permit, std::uint64_t answered, std::uint64_t failed);

  // Whether Admit would refuse, for who wants to know before a call queues. May be wrong a moment later.
  bool refuses() const;
  // When it is asked again: zero unless open.
  std::chrono::milliseconds RetryIn() const;
  CircuitState state() const;
  std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }
  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kSlices = 10;
  struct Slice {
    std::int64_t number = -1;  // since the clock's epoch; what another number stands in is of another time
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
  };

  // With mutex_ held:
  bool MayProbe() const;
  void Enter(CircuitState state);
  void Count(std::uint64_t answered, std::uint64_t failed);
  bool FailsTooOften() const;
  std::int64_t SliceNow() const;

  const Clock& clock_;
  std::atomic<std::uint64_t> opened_{0};
  mutable std::atomic<std::uint64_t> refused_{0};
  std::atomic<CircuitState> state_{CircuitState::kClosed};  // changed under mutex_
  std::atomic<std::uint64_t> changes_{0};                   // of the state; changed under mutex_

  mutable std::mutex mutex_;
  CircuitBreakerOptions options_;      // guarded by mutex_
  std::array<Slice, kSlices> slices_;  // guarded by mutex_
  MonotonicTime opened_at_{};          // guarded by mutex_
  int probing_ = 0;                    // guarded by mutex_; under way, of this state
  int succeeded_ = 0;                  // guarded by mutex_; probes of this state
};

}  // namespace holdfast::resilience
