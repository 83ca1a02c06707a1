#include "service/composition/access_frequency.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::composition {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(AccessFrequency, counts_each_key_by_itself) {
  const ManualClock clock;
  AccessFrequency frequency(minutes{1}, clock);
  for (int i = 0; i < 100; ++i) frequency.Note("often");
  frequency.Note("once");
  EXPECT_EQ(frequency.Estimate("often"), 100u);
  EXPECT_EQ(frequency.Estimate("once"), 1u);
  EXPECT_EQ(frequency.Estimate("never"), 0u);
}

TEST(AccessFrequency, is_hardly_misled_by_many_other_keys) {
  const ManualClock clock;
  AccessFrequency frequency(minutes{1}, clock);
  for (int i = 0; i < 20'000; ++i) frequency.Note("other " + std::to_string(i));
  int high = 0;
  for (int i = 0; i < 1'000; ++i) high += frequency.Estimate("absent " + std::to_string(i)) > 3 ? 1 : 0;
  EXPECT_LT(high, 100);
}

TEST(AccessFrequency, what_is_long_ago_counts_less_and_then_nothing) {
  ManualClock clock;
  AccessFrequency frequency(minutes{1}, clock);
  for (int i = 0; i < 100; ++i) frequency.Note("k");
  clock.Advance(seconds{59});
  EXPECT_EQ(frequency.Estimate("k"), 100u);
  clock.Advance(seconds{1});
  EXPECT_EQ(frequency.Estimate("k"), 50u);
  clock.Advance(minutes{2});
  EXPECT_EQ(frequency.Estimate("k"), 12u);
  clock.Advance(minutes{1'000});
  EXPECT_EQ(frequency.Estimate("k"), 0u);
}

TEST(AccessFrequency, stops_where_its_counters_end) {
  const ManualClock clock;
  AccessFrequency frequency(minutes{1}, clock);
  for (int i = 0; i < 70'000; ++i) frequency.Note("k");
  EXPECT_EQ(frequency.Estimate("k"), AccessFrequency::kMost);
}

TEST(AdaptiveTtl, rises_with_every_doubling_between_floor_and_ceiling) {
  const auto ttl = [](std::uint32_t accesses) { return AdaptiveTtl(accesses, minutes{5}, minutes{105}); };
  EXPECT_EQ(ttl(0), minutes{5});
  EXPECT_NEAR(static_cast<double>(std::chrono::duration_cast<seconds>(ttl(10)).count()), 300 + 6000 * 0.346, 2);
  EXPECT_NEAR(static_cast<double>(std::chrono::duration_cast<seconds>(ttl(100)).count()), 300 + 6000 * 0.666, 2);
  EXPECT_EQ(ttl(kHotAccesses), minutes{105});
  EXPECT_EQ(ttl(60'000), minutes{105});
  EXPECT_EQ(AdaptiveTtl(7, minutes{5}, minutes{5}), minutes{5});
}

}  // namespace
}  // namespace holdfast::composition
