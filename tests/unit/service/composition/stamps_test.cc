#include "service/composition/stamps.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/time/deadline.h"

namespace holdfast::composition {
namespace {

using Keys = std::vector<std::string_view>;

TEST(Stamps, AChangeMakesWhatWasReadBeforeUseless) {
  Stamps stamps(1024);
  const auto before = stamps.Current("k");
  ASSERT_TRUE(before);
  EXPECT_EQ(stamps.Current("k"), before);
  stamps.Changed("k");
  EXPECT_NE(stamps.Current("k"), before);
}

TEST(Stamps, NothingCountsWhileItIsWrittenNorWhatWasReadBefore) {
  Stamps stamps(1024);
  const auto before = stamps.Current("k");
  {
    Stamps::Writing writing(stamps, Keys{"k", "k", "other"});
    EXPECT_TRUE(writing.Covers("k"));
    EXPECT_FALSE(stamps.Current("k"));
    EXPECT_FALSE(stamps.Current("other"));
  }
  ASSERT_TRUE(stamps.Current("k"));
  EXPECT_NE(stamps.Current("k"), before);
}

TEST(Stamps, AWriteKnowsWhatItLeftOnlyWhenItWasAlone) {
  Stamps stamps(1024);
  Stamps::Writing alone(stamps, Keys{"k"});
  alone.End();
  EXPECT_EQ(alone.Left("k"), stamps.Current("k"));
  EXPECT_TRUE(alone.Left("k"));

  Stamps::Writing first(stamps, Keys{"k"});
  Stamps::Writing second(stamps, Keys{"k"});
  first.End();
  EXPECT_FALSE(stamps.Current("k"));
  second.End();
  EXPECT_FALSE(first.Left("k"));
  EXPECT_FALSE(second.Left("k"));

  Stamps::Writing overtaken(stamps, Keys{"k"});
  stamps.Changed("k");
  overtaken.End();
  EXPECT_FALSE(overtaken.Left("k"));
}

TEST(Stamps, ClearingARangeAndForgettingHoldForEveryKey) {
  Stamps stamps(1024);
  const auto before = stamps.Current("k");
  {
    const Stamps::Clearing clearing(stamps);
    EXPECT_FALSE(stamps.Current("k"));
  }
  EXPECT_EQ(stamps.Current("k"), before);  // what it deleted has been told by name
  stamps.ForgetAll();
  EXPECT_NE(stamps.Current("k"), before);
}

TEST(Stamps, CopiesOfAnotherProcessCountForNothing) {
  EXPECT_NE(Stamps(64).Current("k"), Stamps(64).Current("k"));
}

// What carries the stamp that stands is never older than a write that has ended.
TEST(Stamps, ManyWritersAndReadersAgree) {
  Stamps stamps(1);  // all meet
  std::atomic<std::uint64_t> stored{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        Stamps::Writing writing(stamps, Keys{"k"});
        ++stored;
      }
    });
  }
  int counted = 0;
  const Deadline patience = Deadline::After(std::chrono::seconds{60});
  while (counted < 1'000 && !patience.Expired()) {
    const auto stamp = stamps.Current("k");
    if (!stamp) continue;
    const std::uint64_t copy = stored;
    const std::uint64_t then = stored;
    if (stamps.Current("k") != stamp) continue;
    ++counted;
    EXPECT_EQ(copy, then);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counted, 1'000);
}

}  // namespace
}  // namespace holdfast::composition
