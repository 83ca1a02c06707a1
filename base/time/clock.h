// Where time comes from. Everything that reads a clock is handed one of these, so that a test can hold time still.
#pragma once

#include <chrono>
#include <mutex>

namespace holdfast {

// Wall-clock time in microseconds since the Unix epoch; may jump when the machine's clock is set.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;
// Never jumps; meaningless across processes.
using MonotonicTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;
};

// The machine's clocks; lives as long as the process.
const Clock& SystemClock();

// Moves only when told to. For tests.
class ManualClock : public Clock {
 public:
  explicit ManualClock(Timestamp start = Timestamp{std::chrono::seconds{1'700'000'000}}) : now_(start) {}
  Timestamp Now() const override;
  MonotonicTime Monotonic() const override;
  // Moves both clocks.
  void Advance(std::chrono::microseconds by);
  // Sets the wall clock only, as an administrator or NTP would.
  void JumpTo(Timestamp now);

 private:
  mutable std::mutex mutex_;
  Timestamp now_;              // guarded by mutex_
  MonotonicTime monotonic_{};  // guarded by mutex_
};

}  // namespace holdfast
