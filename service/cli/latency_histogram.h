// Counts of latencies in buckets that grow with the value, as HdrHistogram has them (hdrhistogram.org): exact below 256
// ns, above that each power of two is divided into 128 buckets, so that what is read back is at most 1/128 too high.
// 60 KB whatever is recorded. Not thread-safe: one per thread, then Merge.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace holdfast::cli {

class LatencyHistogram {
 public:
  LatencyHistogram();

  // Negative counts as zero.
  void Record(std::chrono::nanoseconds latency);
  void Merge(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds max() const { return max_; }  // exact
  // The least latency that at least `percent` (0 to 100) of all are not above; 100 is max(). Zero when nothing was
  // recorded.
  std::chrono::nanoseconds Percentile(double percent) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace holdfast::cli
