#include "service/resilience/circuit_breaker.h"

#include <algorithm>

namespace holdfast::resilience {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

CircuitBreaker::CircuitBreaker(const CircuitBreakerOptions& options, const Clock& clock)
    : clock_(clock), options_(options) {}

void CircuitBreaker::SetOptions(const CircuitBreakerOptions& options) {
  std::lock_guard lock(mutex_);
  if (options.window != options_.window) slices_.fill(Slice{});
  options_ = options;
}

std::optional<CircuitBreaker::Permit> CircuitBreaker::Admit() {
  // Read before the state: a permit of a state that has just ended counts for nothing.
  const std::uint64_t since = changes_.load(std::memory_order_acquire);
  if (state_.load(std::memory_order_acquire) == CircuitState::kClosed) return Permit(since);
  std::lock_guard lock(mutex_);
  if (state_ == CircuitState::kClosed) return Permit(changes_);
  if (!MayProbe()) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  if (state_ == CircuitState::kOpen) Enter(CircuitState::kHalfOpen);
  ++probing_;
  return Permit(changes_);
}

void CircuitBreaker::Record(Permit permit, std::uint64_t answered, std::uint64_t failed) {
  std::lock_guard lock(mutex_);
  if (permit.since_ != changes_) return;
  if (state_ == CircuitState::kClosed) {
    Count(answered, failed);
    if (failed > 0 && FailsTooOften()) Enter(CircuitState::kOpen);
    return;
  }
  --probing_;
  if (failed > 0) {
    Enter(CircuitState::kOpen);
  } else if (answered > 0 && ++succeeded_ >= options_.probes) {
    Enter(CircuitState::kClosed);
  }
}

bool CircuitBreaker::refuses() const {
  if (state_.load(std::memory_order_acquire) == CircuitState::kClosed) return false;
  std::lock_guard lock(mutex_);
  if (state_ == CircuitState::kClosed || MayProbe()) return false;
  refused_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

milliseconds CircuitBreaker::RetryIn() const {
  std::lock_guard lock(mutex_);
  if (state_ != CircuitState::kOpen) return milliseconds::zero();
  const auto left = opened_at_ + options_.open_time - clock_.Monotonic();
  return std::max(duration_cast<milliseconds>(left), milliseconds::zero());
}

CircuitState CircuitBreaker::state() const {
  return state_.load(std::memory_order_acquire);
}

bool CircuitBreaker::MayProbe() const {
  if (state_ == CircuitState::kOpen) return clock_.Monotonic() >= opened_at_ + options_.open_time;
  return probing_ + succeeded_ < options_.probes;
}

void CircuitBreaker::Enter(CircuitState state) {
  state_.store(state, std::memory_order_release);
  changes_.fetch_add(1, std::memory_order_acq_rel);
  probing_ = 0;
  succeeded_ = 0;
  if (state != CircuitState::kOpen) return;
  // What was counted led here; closed again, it begins anew.
  slices_.fill(Slice{});
  opened_at_ = clock_.Monotonic();
  opened_.fetch_add(1, std::memory_order_relaxed);
}

void CircuitBreaker::Count(std::uint64_t answered, std::uint64_t failed) {
  const std::int64_t now = SliceNow();
  Slice& slice = slices_[static_cast<std::size_t>(now) % kSlices];
  if (slice.number != now) slice = Slice{now, 0, 0};
  slice.answered += answered;
  slice.failed += failed;
}

bool CircuitBreaker::FailsTooOften() const {
  const std::int64_t now = SliceNow();
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;
  for (const Slice& slice : slices_) {
    if (slice.number + static_cast<std::int64_t>(kSlices) <= now) continue;
    answered += slice.answered;
    failed += slice.failed;
  }
  const std::uint64_t operations = answered + failed;
  return operations >= options_.min_operations &&
         failed * 100 >= operations * static_cast<std::uint64_t>(options_.failure_percent);
}

std::int64_t CircuitBreaker::SliceNow() const {
  const auto length =
      std::max<std::chrono::nanoseconds>(options_.window / static_cast<int>(kSlices), std::chrono::nanoseconds{1});
  return clock_.Monotonic().time_since_epoch() / length;
}

}  // namespace holdfast::resilience
