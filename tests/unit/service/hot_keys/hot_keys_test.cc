#include "service/hot_keys/hot_keys.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::hot_keys {
namespace {

using Access = HotKeys::Access;

class HotKeysTest : public testing::Test {
 protected:
  HotKeys Make(std::size_t tracked, std::uint32_t sample = 1) { return HotKeys({tracked, sample}, clock_); }
  static void Record(HotKeys& keys, const std::string& key, int reads, int writes = 0) {
    for (int i = 0; i < reads; ++i) keys.Record(key, Access::kRead);
    for (int i = 0; i < writes; ++i) keys.Record(key, Access::kWrite);
  }

  ManualClock clock_;
};

TEST_F(HotKeysTest, TheMostAskedForComesFirst) {
  HotKeys keys = Make(10);
  Record(keys, "a", 3, 1);
  Record(keys, "b", 10);
  Record(keys, "c", 0, 5);
  const auto top = keys.Top("", 2);
  ASSERT_EQ(2u, top.size());
  EXPECT_EQ("b", top[0].key);
  EXPECT_EQ(10u, top[0].reads);
  EXPECT_EQ("c", top[1].key);
  EXPECT_EQ(5u, top[1].writes);
}

TEST_F(HotKeysTest, OnlyWithThePrefix) {
  HotKeys keys = Make(10);
  Record(keys, "x1", 5);
  Record(keys, "y1", 9);
  const auto top = keys.Top("x", 10);
  ASSERT_EQ(1u, top.size());
  EXPECT_EQ("x1", top[0].key);
}

TEST_F(HotKeysTest, MinutesAddUpAndOldOnesFallOut) {
  HotKeys keys = Make(10);
  Record(keys, "a", 2);
  clock_.Advance(kWindow);
  Record(keys, "a", 3);
  EXPECT_EQ(5u, keys.Top("", 1).at(0).reads);
  clock_.Advance(kWindow * (kWindows - 1));
  EXPECT_EQ(3u, keys.Top("", 1).at(0).reads);
  clock_.Advance(kWindow);
  EXPECT_TRUE(keys.Top("", 1).empty());
}

// What Space-Saving promises: a key with more than 1/tracked of the samples is found, whatever else streams by.
TEST_F(HotKeysTest, AHeavyKeyIsFoundInAStreamOfOthers) {
  HotKeys keys = Make(20);
  for (int i = 0; i < 10'000; ++i) {
    keys.Record("cold" + std::to_string(i), Access::kRead);
    if (i % 10 == 0) keys.Record("hot", Access::kRead);
  }
  const auto top = keys.Top("", 1);
  ASSERT_EQ(1u, top.size());
  EXPECT_EQ("hot", top[0].key);
  EXPECT_LE(top[0].reads, 1000u);
  EXPECT_GE(top[0].reads, 500u);
  EXPECT_LE(keys.Top("", 1000).size(), 20u) << "memory is bounded";
}

TEST_F(HotKeysTest, SamplesAreScaledUp) {
  HotKeys keys = Make(10, 4);
  Record(keys, "a", 40'000);
  const auto top = keys.Top("", 1);
  ASSERT_EQ(1u, top.size());
  EXPECT_NEAR(40'000, static_cast<double>(top[0].reads), 4000);
}

TEST_F(HotKeysTest, NothingIsCountedWhenOff) {
  HotKeys keys = Make(0);
  Record(keys, "a", 10);
  EXPECT_TRUE(keys.Top("", 1).empty());
}

TEST_F(HotKeysTest, ThreadsLoseNoCount) {
  HotKeys keys = Make(10);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { Record(keys, "a", 1000); });
  threads.clear();
  EXPECT_EQ(4000u, keys.Top("", 1).at(0).reads);
}

}  // namespace
}  // namespace holdfast::hot_keys
