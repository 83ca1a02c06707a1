#include "tests/integration/postgres/outage_meter.h"

#include <algorithm>

namespace holdfast {

OutageMeter::OutageMeter(const WriteHistory& history)
    : history_(history), sampler_([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          {
            const std::lock_guard lock(mutex_);
            const auto now = Clock::now();
            longest_ = std::max(longest_, now - last_);
            if (const std::uint64_t count = history_.counts().acknowledged; count != acknowledged_) {
              acknowledged_ = count;
              last_ = now;
            }
          }
          std::this_thread::sleep_for(std::chrono::milliseconds{2});
        }
      }) {}

void OutageMeter::Begin() {
  const std::lock_guard lock(mutex_);
  longest_ = {};
}

std::chrono::milliseconds OutageMeter::Longest() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest_);
}

std::int64_t Percentile(std::vector<std::int64_t> values, int percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t rank = (values.size() * static_cast<std::size_t>(percent) + 99) / 100;
  return values[std::max<std::size_t>(rank, 1) - 1];
}

}  // namespace holdfast
