#include "base/time/clock.h"

namespace holdfast {
namespace {

class MachineClock : public Clock {
 public:
  Timestamp Now() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  MonotonicTime Monotonic() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

Timestamp ManualClock::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

MonotonicTime ManualClock::Monotonic() const {
  std::lock_guard lock(mutex_);
  return monotonic_;
}

void ManualClock::Advance(std::chrono::microseconds by) {
  std::lock_guard lock(mutex_);
  now_ += by;
  monotonic_ += by;
}

void ManualClock::JumpTo(Timestamp now) {
  std::lock_guard lock(mutex_);
  now_ = now;
}

}  // namespace holdfast
