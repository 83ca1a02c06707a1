#include "base/cron/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cron {
namespace {

using std::chrono::local_days;
using std::chrono::year;
using testing::HasSubstr;

TEST(CronTimeZone, ShowsWhatTheClockThereShows) {
  const TimeZone berlin = TimeZone::Load("Europe/Berlin").value();
  EXPECT_EQ(berlin.name(), "Europe/Berlin");
  const Timestamp summer = std::chrono::sys_days{year{2026} / 7 / 1} + std::chrono::seconds{59};
  const LocalMinute shown = local_days{year{2026} / 7 / 1} + std::chrono::hours{2};
  EXPECT_EQ(berlin.ToLocal(summer), shown);
  EXPECT_EQ(berlin.ToInstant(shown), summer - std::chrono::seconds{59});
}

// What is in the files ends with 2037; what comes behind follows from the last rule.
TEST(CronTimeZone, KnowsYearsBehindTheTables) {
  const TimeZone berlin = TimeZone::Load("Europe/Berlin").value();
  const LocalMinute summer = local_days{year{2060} / 7 / 1} + std::chrono::hours{12};
  EXPECT_EQ(berlin.ToInstant(summer), std::chrono::sys_days{year{2060} / 7 / 1} + std::chrono::hours{10});
}

TEST(CronTimeZone, NamesAreNoPaths) {
  for (const char* const name : {"", "Europe/Atlantis", "/etc/passwd", "../../../etc/passwd", "Europe/../UTC",
                                 "file:UTC", "localtime", "Europe", "Europe/Berlin\n", "CET "}) {
    const auto zone = TimeZone::Load(name);
    ASSERT_FALSE(zone.ok()) << name;
    EXPECT_EQ(zone.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(zone.error().message(), HasSubstr("IANA name"));
  }
  EXPECT_TRUE(TimeZone::Load("UTC").ok()) << "the control";
  EXPECT_TRUE(TimeZone::Load("Etc/GMT+5").ok());
}

}  // namespace
}  // namespace holdfast::cron
