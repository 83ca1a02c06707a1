// Rate, deadline and progress of a run.
#include "service/backup/work.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::backup {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(BackupWork, TheRateHoldsOverAll) {
  Work work(/*rate=*/100'000, Deadline::Infinite(), {});
  const auto begin = steady_clock::now();
  // The first is free, and each pays for the one before it.
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(work.Spend(2'000).ok());
  EXPECT_GE(steady_clock::now() - begin, milliseconds{80});
  EXPECT_EQ(work.progress().bytes, 10'000U);
}

TEST(BackupWork, WithoutARateNothingIsWaitedFor) {
  Work work(/*rate=*/0, Deadline::After(std::chrono::minutes{1}), {});
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(work.Spend(std::uint64_t{1} << 40).ok());
}

TEST(BackupWork, ADeadlineAndAStopEndTheWaiting) {
  Work late(/*rate=*/1, Deadline::After(milliseconds{20}), {});
  ASSERT_TRUE(late.Spend(1'000'000).ok());
  EXPECT_EQ(late.Spend(1).error().code(), ErrorCode::kDeadlineExceeded);

  std::stop_source stop;
  Work stopped(/*rate=*/1, Deadline::Infinite(), stop.get_token());
  ASSERT_TRUE(stopped.Spend(1'000'000).ok());
  std::jthread other([&stop] { stop.request_stop(); });
  EXPECT_EQ(stopped.Spend(1).error().code(), ErrorCode::kCancelled);
}

TEST(BackupWork, EachStepCountsForItself) {
  Work work(0, Deadline::Infinite(), {});
  work.Enter("write", 0);
  ASSERT_TRUE(work.Spend(7).ok());
  work.Enter("verify", 9);
  ASSERT_TRUE(work.Spend(3).ok());
  EXPECT_EQ(work.progress().step, "verify");
  EXPECT_EQ(work.progress().bytes, 3U);
  EXPECT_EQ(work.progress().total_bytes, 9U);
}

}  // namespace
}  // namespace holdfast::backup
