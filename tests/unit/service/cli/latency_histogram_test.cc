#include "service/cli/latency_histogram.h"

#include <cmath>
#include <limits>
#include <random>

namespace holdfast::cli {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogramTest, NothingRecorded) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), nanoseconds(0));
  EXPECT_EQ(histogram.Percentile(99), nanoseconds(0));
}

TEST(LatencyHistogramTest, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 200; ++i) histogram.Record(nanoseconds(i));
  EXPECT_EQ(histogram.Percentile(0), nanoseconds(1));
  EXPECT_EQ(histogram.Percentile(50), nanoseconds(100));
  EXPECT_EQ(histogram.Percentile(99), nanoseconds(198));
  EXPECT_EQ(histogram.Percentile(99.1), nanoseconds(199));
  EXPECT_EQ(histogram.Percentile(100), nanoseconds(200));
}

TEST(LatencyHistogramTest, EachValueComesBackAtMostOnePartIn128TooHigh) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto value = static_cast<std::int64_t>(random() >> (1 + random() % 63));
    LatencyHistogram histogram;
    histogram.Record(nanoseconds(value));
    histogram.Record(nanoseconds(std::numeric_limits<std::int64_t>::max()));  // so that max() does not help
    const std::int64_t read = histogram.Percentile(50).count();
    EXPECT_GE(read, value);
    EXPECT_LE(read - value, value / 128) << value;
  }
}

TEST(LatencyHistogramTest, PercentilesOfManyAreThoseOfTheSortedValues) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<> latency(13, 1.5);
  LatencyHistogram histogram;
  std::vector<std::int64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<std::int64_t>(latency(random)));
    histogram.Record(nanoseconds(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 50.0, 90.0, 99.0, 99.9}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 20'000)) - 1;
    const std::int64_t read = histogram.Percentile(percent).count();
    EXPECT_GE(read, values[rank]) << percent;
    EXPECT_LE(read - values[rank], values[rank] / 128) << percent;
  }
  EXPECT_EQ(histogram.Percentile(100).count(), values.back());
  EXPECT_EQ(histogram.max().count(), values.back());
}

TEST(LatencyHistogramTest, OneSlowRequestIsTheMaximumOnly) {
  LatencyHistogram histogram;
  for (int i = 0; i < 9999; ++i) histogram.Record(nanoseconds(100));
  histogram.Record(std::chrono::seconds(3));
  EXPECT_EQ(histogram.Percentile(99.9), nanoseconds(100));
  EXPECT_EQ(histogram.max(), std::chrono::seconds(3));
}

TEST(LatencyHistogramTest, MergedIsAsRecordedInOne) {
  LatencyHistogram one;
  LatencyHistogram low;
  LatencyHistogram high;
  for (int i = 0; i < 1000; ++i) {
    const nanoseconds latency(i * i);
    one.Record(latency);
    (i < 300 ? low : high).Record(latency);
  }
  low.Merge(high);
  EXPECT_EQ(low.count(), 1000u);
  EXPECT_EQ(low.max(), one.max());
  for (double percent = 0; percent <= 100; percent += 0.5) EXPECT_EQ(low.Percentile(percent), one.Percentile(percent));
}

TEST(LatencyHistogramTest, ExtremesAreCounted) {
  LatencyHistogram histogram;
  histogram.Record(nanoseconds(-5));
  histogram.Record(nanoseconds::max());
  EXPECT_EQ(histogram.Percentile(50), nanoseconds(0));
  EXPECT_EQ(histogram.Percentile(100), nanoseconds::max());
}

}  // namespace
}  // namespace holdfast::cli
