#include "base/time/backoff.h"

#include <algorithm>

namespace holdfast {

std::chrono::nanoseconds ExponentialDelay(std::chrono::nanoseconds initial, std::chrono::nanoseconds maximum,
                                          int attempt) {
  std::chrono::nanoseconds delay = std::min(initial, maximum);
  if (delay <= std::chrono::nanoseconds::zero()) return std::chrono::nanoseconds::zero();
  for (int i = 0; i < attempt && delay < maximum; ++i) {
    delay = delay > maximum / 2 ? maximum : delay * 2;
  }
  return delay;
}

Backoff::Backoff(BackoffPolicy policy, std::uint64_t seed) : policy_(policy), random_(seed) {}

std::chrono::nanoseconds Backoff::Next() {
  const std::chrono::nanoseconds bound = ExponentialDelay(policy_.initial, policy_.maximum, attempts_);
  ++attempts_;
  const double least = static_cast<double>(bound.count()) * (1.0 - policy_.jitter);
  std::uniform_real_distribution<double> spread(least, static_cast<double>(bound.count()));
  return std::chrono::nanoseconds{static_cast<std::int64_t>(spread(random_))};
}

}  // namespace holdfast
