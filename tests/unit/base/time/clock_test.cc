#include "base/time/clock.h"

#include <gtest/gtest.h>

#include "base/time/deadline.h"

namespace holdfast {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(ManualClock, AdvanceMovesBothClocksAndAJumpOnlyTheWall) {
  ManualClock clock;
  const Timestamp wall = clock.Now();
  const MonotonicTime monotonic = clock.Monotonic();
  clock.Advance(seconds{5});
  EXPECT_EQ(clock.Now() - wall, seconds{5});
  EXPECT_EQ(clock.Monotonic() - monotonic, seconds{5});
  clock.JumpTo(wall - hours{1});
  EXPECT_EQ(clock.Now(), wall - hours{1});
  EXPECT_EQ(clock.Monotonic() - monotonic, seconds{5});
}

TEST(SystemClock, TheMonotonicClockDoesNotGoBack) {
  const MonotonicTime before = SystemClock().Monotonic();
  EXPECT_GE(SystemClock().Monotonic(), before);
  EXPECT_GT(SystemClock().Now().time_since_epoch(), hours{24 * 365 * 50});
}

TEST(Deadline, InfiniteNeverExpiresAndCanBeWaitedFor) {
  const Deadline deadline = Deadline::Infinite();
  EXPECT_TRUE(deadline.infinite());
  EXPECT_FALSE(deadline.Expired());
  EXPECT_EQ(deadline.Remaining(), hours{24 * 365});
  EXPECT_GT(deadline.WaitUntil(), std::chrono::steady_clock::now() + hours{24 * 300});
}

TEST(Deadline, OfNoTimeHasPassedAlready) {
  for (const nanoseconds duration : {nanoseconds{0}, nanoseconds{-1}, nanoseconds::min() / 2}) {
    const Deadline deadline = Deadline::After(duration);
    EXPECT_TRUE(deadline.Expired()) << duration.count();
    EXPECT_EQ(deadline.Remaining(), nanoseconds{0});
  }
}

TEST(Deadline, TheLongestDurationDoesNotOverflow) {
  const Deadline deadline = Deadline::After(nanoseconds::max());
  EXPECT_FALSE(deadline.Expired());
  EXPECT_GT(deadline.Remaining(), hours{24 * 300});
}

TEST(Deadline, SoonerIsTheEarlierOfTheTwo) {
  const auto now = std::chrono::steady_clock::now();
  const Deadline soon = Deadline::At(now + seconds{10});
  const Deadline late = Deadline::At(now + hours{1});
  EXPECT_EQ(soon.Sooner(late).WaitUntil(), now + seconds{10});
  EXPECT_EQ(late.Sooner(soon).WaitUntil(), now + seconds{10});
  EXPECT_EQ(Deadline::Infinite().Sooner(soon).WaitUntil(), now + seconds{10});
  EXPECT_EQ(soon.Sooner(Deadline::Infinite()).WaitUntil(), now + seconds{10});
  EXPECT_TRUE(Deadline::Infinite().Sooner(Deadline::Infinite()).infinite());
}

}  // namespace
}  // namespace holdfast
