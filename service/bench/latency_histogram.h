// Latencies as counts in buckets whose width grows with the value, so that any amount of them costs the same memory and
// a percentile is off by less than 1 %: the idea of HdrHistogram (Tene), with 128 buckets for each doubling.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace holdfast::bench {

// Not thread-safe: one per thread, added up at the end.
class LatencyHistogram {
 public:
  // Negative ones count as zero; those above an hour as an hour, save for max().
  void Record(std::chrono::nanoseconds latency);
  void Add(const LatencyHistogram& other);

  std::uint64_t count() const { return count_; }
  // Zero when nothing was recorded.
  std::chrono::nanoseconds max() const { return max_; }
  std::chrono::nanoseconds mean() const;
  // The least latency that at least `share` (0..1) of all do not exceed, as the upper end of its bucket, never above
  // max().
  std::chrono::nanoseconds Percentile(double share) const;

 private:
  static constexpr int kBucketBits = 7;
  static constexpr std::uint64_t kMost = 3'600'000'000'000;                       // nanoseconds
  static constexpr std::size_t kBuckets = (42 - kBucketBits + 1) << kBucketBits;  // 2^42 ns is above an hour

  static std::size_t BucketOf(std::uint64_t nanoseconds);
  static std::uint64_t UpperEnd(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace holdfast::bench
