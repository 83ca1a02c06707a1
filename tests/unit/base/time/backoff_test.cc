#include "base/time/backoff.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string>

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

std::uint64_t Seed() {
  const char* text = std::getenv("HOLDFAST_SEED");
  return text == nullptr ? 1 : std::stoull(text);
}

TEST(ExponentialDelay, DoublesUntilTheMaximum) {
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, 0), milliseconds{5});
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, 1), milliseconds{10});
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, 10), milliseconds{5120});
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, 13), milliseconds{40960});
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, 14), seconds{60});
}

TEST(ExponentialDelay, NeverOverflows) {
  constexpr int kManyAttempts = std::numeric_limits<int>::max();
  EXPECT_EQ(ExponentialDelay(milliseconds{5}, seconds{60}, kManyAttempts), seconds{60});
  EXPECT_EQ(ExponentialDelay(nanoseconds{1}, nanoseconds::max(), kManyAttempts), nanoseconds::max());
  EXPECT_EQ(ExponentialDelay(nanoseconds::max() - nanoseconds{1}, nanoseconds::max(), 1), nanoseconds::max());
}

TEST(ExponentialDelay, NothingToDoubleStaysNothing) {
  EXPECT_EQ(ExponentialDelay(nanoseconds{0}, seconds{60}, std::numeric_limits<int>::max()), nanoseconds{0});
  EXPECT_EQ(ExponentialDelay(seconds{90}, seconds{60}, 0), seconds{60});
}

TEST(Backoff, WithoutJitterIsTheBoundItself) {
  Backoff backoff({.initial = milliseconds{100}, .maximum = milliseconds{350}, .jitter = 0});
  EXPECT_EQ(backoff.Next(), milliseconds{100});
  EXPECT_EQ(backoff.Next(), milliseconds{200});
  EXPECT_EQ(backoff.Next(), milliseconds{350});
  EXPECT_EQ(backoff.Next(), milliseconds{350});
  EXPECT_EQ(backoff.attempts(), 4);
  backoff.Reset();
  EXPECT_EQ(backoff.attempts(), 0);
  EXPECT_EQ(backoff.Next(), milliseconds{100});
}

TEST(Backoff, JitterStaysWithinItsBoundsAndUsesThem) {
  const std::uint64_t seed = Seed();
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  for (const double jitter : {0.2, 1.0}) {
    Backoff backoff({.initial = milliseconds{8}, .maximum = milliseconds{100}, .jitter = jitter}, seed);
    double least_share = 1;
    double most_share = 0;
    for (int attempt = 0; attempt < 2000; ++attempt) {
      const nanoseconds bound = ExponentialDelay(milliseconds{8}, milliseconds{100}, attempt);
      const double share = static_cast<double>(backoff.Next().count()) / static_cast<double>(bound.count());
      ASSERT_GE(share, 1 - jitter - 1e-6);
      ASSERT_LE(share, 1 + 1e-6);
      least_share = std::min(least_share, share);
      most_share = std::max(most_share, share);
    }
    EXPECT_LT(least_share, 1 - jitter * 0.9);
    EXPECT_GT(most_share, 1 - jitter * 0.1);
  }
}

TEST(Backoff, TwoSeedsDoNotMarchInStep) {
  Backoff one({}, 1);
  Backoff two({}, 2);
  EXPECT_NE(one.Next(), two.Next());
}

}  // namespace
}  // namespace holdfast
