// A counter that follows a number which is counted elsewhere.
#pragma once

#include <cstdint>

#include "base/metrics/metrics.h"

namespace holdfast::service {

// Not thread-safe: shown by the collectors of a registry, which run one at a time.
class FollowedCounter {
 public:
  explicit FollowedCounter(metrics::Counter& counter) : counter_(&counter) {}
  // What is closed answers zeros; a counter never goes back.
  void Show(std::uint64_t now) {
    if (now <= shown_) return;
    counter_->Increment(static_cast<double>(now - shown_));
    shown_ = now;
  }

 private:
  metrics::Counter* counter_;
  std::uint64_t shown_ = 0;
};

}  // namespace holdfast::service
