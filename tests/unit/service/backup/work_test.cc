// Rate, deadline and progress of a run.
#include "service/backup/work.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::backup {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(BackupWork, TheRateHoldsOverAll) {
  Work work({.rate = 100'000}, Deadline::Infinite(), {});
  const auto begin = steady_clock::now();
  // The first is free, and each pays for the one before it.
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(work.Spend(2'000).ok());
  EXPECT_GE(steady_clock::now() - begin, milliseconds{80});
  EXPECT_EQ(work.progress().bytes, 10'000U);
}

TEST(BackupWork, WithoutARateNothingIsWaitedFor) {
  Work work({}, Deadline::After(std::chrono::minutes{1}), {});
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(work.Spend(std::uint64_t{1} << 40).ok());
}

TEST(BackupWork, ADeadlineAndAStopEndTheWaiting) {
  Work late({.rate = 1}, Deadline::After(milliseconds{20}), {});
  ASSERT_TRUE(late.Spend(1'000'000).ok());
  EXPECT_EQ(late.Spend(1).error().code(), ErrorCode::kDeadlineExceeded);

  std::stop_source stop;
  Work stopped({.rate = 1}, Deadline::Infinite(), stop.get_token());
  ASSERT_TRUE(stopped.Spend(1'000'000).ok());
  std::jthread other([&stop] { stop.request_stop(); });
  EXPECT_EQ(stopped.Spend(1).error().code(), ErrorCode::kCancelled);
}

TEST(BackupWork, RestsForAsLongAsItsShareOfTheTimeAsks) {
  Work work({.work_percent = 25}, Deadline::Infinite(), {});
  std::this_thread::sleep_for(milliseconds{5});
  const auto begin = steady_clock::now();
  ASSERT_TRUE(work.Rest().ok());
  EXPECT_GE(steady_clock::now() - begin, milliseconds{15});
}

TEST(BackupWork, ADeadlineAndAStopEndARest) {
  Work late({.work_percent = 1}, Deadline::After(milliseconds{20}), {});
  std::this_thread::sleep_for(milliseconds{5});
  EXPECT_EQ(late.Rest().error().code(), ErrorCode::kDeadlineExceeded);

  std::stop_source stop;
  Work stopped({.work_percent = 1}, Deadline::Infinite(), stop.get_token());
  std::this_thread::sleep_for(std::chrono::seconds{1});  // its rest would take more than a minute
  std::jthread other([&stop] { stop.request_stop(); });
  EXPECT_EQ(stopped.Rest().error().code(), ErrorCode::kCancelled);
}

// Else a slow target would make it slower twice.
TEST(BackupWork, WaitsForTheRateAreNoWork) {
  Work work({.rate = 1'000, .work_percent = 1}, Deadline::After(std::chrono::minutes{3}), {});
  ASSERT_TRUE(work.Spend(2'000).ok());
  ASSERT_TRUE(work.Spend(1).ok());  // two seconds later, for which the rest would take more than the deadline allows
  EXPECT_TRUE(work.Rest().ok());
}

TEST(BackupWork, EachStepCountsForItself) {
  Work work({}, Deadline::Infinite(), {});
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
