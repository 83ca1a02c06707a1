#include "service/cli/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace holdfast::cli {
namespace {

constexpr int kExactBits = 8;                          // values of so many bits have a bucket each
constexpr std::size_t kHalf = 1u << (kExactBits - 1);  // buckets of each further power of two
constexpr std::size_t kBuckets = (64 - kExactBits) * kHalf + 2 * kHalf;

std::size_t BucketOf(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kExactBits);
  return static_cast<std::size_t>(shift) * kHalf + static_cast<std::size_t>(value >> shift);
}

std::uint64_t LargestIn(std::size_t bucket) {
  const std::size_t shift = bucket < 2 * kHalf ? 0 : bucket / kHalf - 1;
  return ((static_cast<std::uint64_t>(bucket - shift * kHalf) + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBuckets) {}

void LatencyHistogram::Record(std::chrono::nanoseconds latency) {
  latency = std::max(latency, std::chrono::nanoseconds::zero());
  ++buckets_[BucketOf(static_cast<std::uint64_t>(latency.count()))];
  ++count_;
  max_ = std::max(max_, latency);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds LatencyHistogram::Percentile(double percent) const {
  const auto rank = static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<std::uint64_t>(rank, 1)) {
      return std::min(max_, std::chrono::nanoseconds(LargestIn(i)));
    }
  }
  return max_;
}

}  // namespace holdfast::cli
