#include "service/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace holdfast::bench {

// Values below 2^kBucketBits have a bucket each. Above, the highest kBucketBits bits behind the leading one choose
// among the buckets of their doubling.
std::size_t LatencyHistogram::BucketOf(std::uint64_t nanoseconds) {
  const int width = static_cast<int>(std::bit_width(nanoseconds));
  if (width <= kBucketBits) return nanoseconds;
  const int shift = width - 1 - kBucketBits;
  const std::uint64_t within = (nanoseconds >> shift) - (1u << kBucketBits);
  return (static_cast<std::size_t>(shift + 1) << kBucketBits) + within;
}

std::uint64_t LatencyHistogram::UpperEnd(std::size_t bucket) {
  if (bucket < (1u << kBucketBits)) return bucket;
  const std::size_t shift = (bucket >> kBucketBits) - 1;
  const std::uint64_t within = bucket & ((1u << kBucketBits) - 1);
  return (((1u << kBucketBits) + within + 1) << shift) - 1;
}

void LatencyHistogram::Record(std::chrono::nanoseconds latency) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  ++counts_[BucketOf(std::min(nanoseconds, kMost))];
  ++count_;
  sum_ += nanoseconds;
  max_ = std::max(max_, latency);
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds LatencyHistogram::mean() const {
  return std::chrono::nanoseconds{count_ == 0 ? 0 : static_cast<std::int64_t>(sum_ / count_)};
}

std::chrono::nanoseconds LatencyHistogram::Percentile(double share) const {
  if (count_ == 0) return {};
  const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) {
      return std::min(max_, std::chrono::nanoseconds{static_cast<std::int64_t>(UpperEnd(bucket))});
    }
  }
  return max_;
}

}  // namespace holdfast::bench
