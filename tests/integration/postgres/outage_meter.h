// How long clients could not write.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/integration/postgres/write_history.h"

namespace holdfast {

// How long no write was acknowledged, at the longest, since it was last asked to begin. Thread-safe.
class OutageMeter {
 public:
  explicit OutageMeter(const WriteHistory& history);
  void Begin();
  std::chrono::milliseconds Longest() const;

 private:
  using Clock = std::chrono::steady_clock;
  const WriteHistory& history_;
  mutable std::mutex mutex_;
  std::uint64_t acknowledged_ = 0;  // guarded by mutex_, and so are the next two
  Clock::time_point last_ = Clock::now();
  Clock::duration longest_{};
  std::jthread sampler_;
};

// Nearest rank; 0 of none.
std::int64_t Percentile(std::vector<std::int64_t> values, int percent);

}  // namespace holdfast
