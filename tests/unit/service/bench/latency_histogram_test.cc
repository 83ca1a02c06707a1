#include "service/bench/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace holdfast::bench {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogram, NothingRecorded) {
  const LatencyHistogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.Percentile(0.5), nanoseconds{0});
  EXPECT_EQ(empty.mean(), nanoseconds{0});
  EXPECT_EQ(empty.max(), nanoseconds{0});
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Record(nanoseconds{i});
  EXPECT_EQ(histogram.Percentile(0.5), nanoseconds{50});
  EXPECT_EQ(histogram.Percentile(0.99), nanoseconds{99});
  EXPECT_EQ(histogram.Percentile(1), nanoseconds{100});
  EXPECT_EQ(histogram.Percentile(0), nanoseconds{1});
  EXPECT_EQ(histogram.mean(), nanoseconds{50});
}

TEST(LatencyHistogram, PercentilesAreWithinOnePercentOfTheSortedList) {
  std::mt19937_64 random(1);
  LatencyHistogram histogram;
  std::vector<std::int64_t> all;
  for (int i = 0; i < 20'000; ++i) {
    const auto latency = static_cast<std::int64_t>(random() >> (24 + random() % 30));  // up to 2^40 ns
    all.push_back(latency);
    histogram.Record(nanoseconds{latency});
  }
  std::sort(all.begin(), all.end());
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto exact = static_cast<double>(all[static_cast<std::size_t>(share * 20'000) - 1]);
    const auto told = static_cast<double>(histogram.Percentile(share).count());
    EXPECT_GE(told, exact) << share;
    EXPECT_LE(told, exact * 1.01 + 1) << share;
  }
  EXPECT_EQ(histogram.max().count(), all.back());
}

TEST(LatencyHistogram, EdgesAreCountedAndNotLost) {
  LatencyHistogram histogram;
  histogram.Record(nanoseconds{-5});
  histogram.Record(nanoseconds{0});
  histogram.Record(std::chrono::hours{1});
  histogram.Record(std::chrono::hours{1000});
  EXPECT_EQ(histogram.count(), 4u);
  EXPECT_EQ(histogram.max(), std::chrono::hours{1000});
  EXPECT_EQ(histogram.Percentile(0.5), nanoseconds{0});
  EXPECT_GE(histogram.Percentile(1), std::chrono::hours{1});
}

TEST(LatencyHistogram, AddsUp) {
  LatencyHistogram a, b;
  a.Record(nanoseconds{10});
  b.Record(nanoseconds{30});
  b.Record(nanoseconds{20});
  a.Add(b);
  EXPECT_EQ(a.count(), 3u);
  EXPECT_EQ(a.mean(), nanoseconds{20});
  EXPECT_EQ(a.max(), nanoseconds{30});
  EXPECT_EQ(a.Percentile(0.5), nanoseconds{20});
}

}  // namespace
}  // namespace holdfast::bench
