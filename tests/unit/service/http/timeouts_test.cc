#include "service/http/timeouts.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::api {
namespace {

using std::chrono::milliseconds;

class TimeoutsTest : public testing::Test {
 protected:
  static ServerLimits Limits() {
    ServerLimits limits;
    limits.header_timeout = milliseconds{100};
    limits.body_timeout = milliseconds{200};
    limits.idle_timeout = milliseconds{300};
    limits.write_timeout = milliseconds{400};
    limits.linger_timeout = milliseconds{80};
    return limits;
  }
  static std::chrono::steady_clock::time_point At(int ms) {
    return std::chrono::steady_clock::time_point{milliseconds{ms}};
  }

  Timeouts timeouts_{Limits()};
  TimeoutEntry first_, second_, third_;
};

TEST_F(TimeoutsTest, ExpireEachAfterItsOwnDuration) {
  timeouts_.Arm(first_, Timeout::kIdle, At(0));
  timeouts_.Arm(second_, Timeout::kHeader, At(0));
  EXPECT_EQ(timeouts_.PopExpired(At(99)), nullptr);
  EXPECT_EQ(timeouts_.PopExpired(At(100)), &second_);
  EXPECT_EQ(second_.kind(), Timeout::kHeader);
  EXPECT_FALSE(second_.armed());
  EXPECT_EQ(timeouts_.PopExpired(At(299)), nullptr);
  EXPECT_EQ(timeouts_.PopExpired(At(300)), &first_);
  EXPECT_EQ(timeouts_.PopExpired(At(1000)), nullptr);
}

TEST_F(TimeoutsTest, RearmingStartsAgainAndMayChangeTheKind) {
  timeouts_.Arm(first_, Timeout::kHeader, At(0));
  timeouts_.Arm(second_, Timeout::kHeader, At(10));
  timeouts_.Arm(first_, Timeout::kHeader, At(50));
  EXPECT_EQ(timeouts_.PopExpired(At(120)), &second_);
  EXPECT_EQ(timeouts_.PopExpired(At(120)), nullptr);
  timeouts_.Arm(first_, Timeout::kWrite, At(120));
  EXPECT_TRUE(first_.armed_for(Timeout::kWrite));
  EXPECT_EQ(timeouts_.PopExpired(At(519)), nullptr);
  EXPECT_EQ(timeouts_.PopExpired(At(520)), &first_);
}

TEST_F(TimeoutsTest, DisarmedNeverExpires) {
  timeouts_.Arm(first_, Timeout::kBody, At(0));
  timeouts_.Arm(second_, Timeout::kBody, At(0));
  timeouts_.Arm(third_, Timeout::kBody, At(0));
  Timeouts::Disarm(second_);
  Timeouts::Disarm(second_);
  EXPECT_EQ(timeouts_.PopExpired(At(500)), &first_);
  EXPECT_EQ(timeouts_.PopExpired(At(500)), &third_);
  EXPECT_EQ(timeouts_.PopExpired(At(500)), nullptr);
}

TEST_F(TimeoutsTest, TicksAnEighthOfTheShortest) {
  EXPECT_EQ(timeouts_.tick(), milliseconds{10});
  EXPECT_EQ(Timeouts(ServerLimits{}).tick(), milliseconds{250});
}

}  // namespace
}  // namespace holdfast::api
