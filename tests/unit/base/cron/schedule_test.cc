#include "base/cron/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cron {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::year;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TimeZone Zone(const std::string& name) {
  return TimeZone::Load(name).value();
}

Schedule Parsed(std::string_view text) {
  auto schedule = Schedule::Parse(text);
  EXPECT_TRUE(schedule.ok()) << text << ": " << schedule.error().ToString();
  return std::move(schedule).value();
}

Timestamp Utc(int y, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  return sys_days{year{y} / month / day} + hours{hour} + minutes{minute};
}

std::vector<Timestamp> Ticks(std::string_view text, const std::string& zone, Timestamp after, std::size_t count) {
  const Schedule schedule = Parsed(text);
  std::vector<Timestamp> ticks;
  while (ticks.size() < count) ticks.push_back(schedule.Next(ticks.empty() ? after : ticks.back(), Zone(zone)));
  return ticks;
}

TEST(CronSchedule, TicksComeAsTheFieldsSay) {
  const Timestamp friday = Utc(2026, 1, 2, 12, 7);
  EXPECT_EQ(Parsed("*/15 * * * *").Next(friday, Zone("UTC")), Utc(2026, 1, 2, 12, 15));
  EXPECT_EQ(Parsed("5/20 * * * *").Next(friday, Zone("UTC")), Utc(2026, 1, 2, 12, 25));
  EXPECT_EQ(Parsed("0 3 * * *").Next(friday, Zone("UTC")), Utc(2026, 1, 3, 3));
  EXPECT_EQ(Parsed("30 8-10,20 * * mon-Fri").Next(friday, Zone("UTC")), Utc(2026, 1, 2, 20, 30));
  EXPECT_EQ(Parsed("0 0 1 FEB,jul ?").Next(friday, Zone("UTC")), Utc(2026, 2, 1));
  EXPECT_EQ(Parsed("0 0 * * 7").Next(friday, Zone("UTC")), Utc(2026, 1, 4));
  EXPECT_EQ(Parsed("0 0 * * SUN").Next(friday, Zone("UTC")), Utc(2026, 1, 4));
  EXPECT_EQ(Parsed("0 0 * * 5-7").Next(friday, Zone("UTC")), Utc(2026, 1, 3));
  EXPECT_EQ(Parsed("0 0 29 2 *").Next(friday, Zone("UTC")), Utc(2028, 2, 29));
  EXPECT_EQ(Parsed("0 0 29 2 *").Next(Utc(2096, 2, 29), Zone("UTC")), Utc(2104, 2, 29)) << "2100 is no leap year";
  EXPECT_EQ(Parsed("  0\t3 * *   * ").Next(friday, Zone("UTC")), Utc(2026, 1, 3, 3));
}

TEST(CronSchedule, WhereBothDaysAreRestrictedOneIsEnough) {
  EXPECT_THAT(Ticks("0 0 13 * FRI", "UTC", Utc(2026, 2, 1), 4),
              ElementsAre(Utc(2026, 2, 6), Utc(2026, 2, 13), Utc(2026, 2, 20), Utc(2026, 2, 27)));
  EXPECT_THAT(Ticks("0 0 13 * *", "UTC", Utc(2026, 2, 1), 2), ElementsAre(Utc(2026, 2, 13), Utc(2026, 3, 13)));
}

TEST(CronSchedule, NamesAreWhatTheyStandFor) {
  const Timestamp friday = Utc(2026, 1, 2, 12, 7);
  EXPECT_EQ(Parsed("@hourly").Next(friday, Zone("UTC")), Utc(2026, 1, 2, 13));
  EXPECT_EQ(Parsed("@daily").Next(friday, Zone("UTC")), Utc(2026, 1, 3));
  EXPECT_EQ(Parsed("@midnight").Next(friday, Zone("UTC")), Utc(2026, 1, 3));
  EXPECT_EQ(Parsed("@weekly").Next(friday, Zone("UTC")), Utc(2026, 1, 4));
  EXPECT_EQ(Parsed("@monthly").Next(friday, Zone("UTC")), Utc(2026, 2, 1));
  EXPECT_EQ(Parsed("@yearly").Next(friday, Zone("UTC")), Utc(2027, 1, 1));
  EXPECT_EQ(Parsed("@annually").Next(friday, Zone("UTC")), Utc(2027, 1, 1));
}

TEST(CronSchedule, ATimeThatDoesNotExistRunsOnceRightAfter) {
  // 2026-03-29 02:00 becomes 03:00 in Berlin, which is 01:00 UTC.
  EXPECT_THAT(Ticks("30 2 * * *", "Europe/Berlin", Utc(2026, 3, 28, 12), 2),
              ElementsAre(Utc(2026, 3, 29, 1), Utc(2026, 3, 30, 0, 30)));
  // Several that do not exist, and the one right behind them, are one.
  EXPECT_THAT(Ticks("*/20 2,3 * * *", "Europe/Berlin", Utc(2026, 3, 29), 3),
              ElementsAre(Utc(2026, 3, 29, 1), Utc(2026, 3, 29, 1, 20), Utc(2026, 3, 29, 1, 40)));
  // Half an hour, on the other side of the world: 2026-10-04 02:00 becomes 02:30.
  EXPECT_THAT(Ticks("15 2 * * *", "Australia/Lord_Howe", Utc(2026, 10, 3), 2),
              ElementsAre(Utc(2026, 10, 3, 15, 30), Utc(2026, 10, 4, 15, 15)));
}

TEST(CronSchedule, ATimeThatComesTwiceRunsOnceTheFirstTime) {
  // 2026-10-25 03:00 becomes 02:00 in Berlin, which is 01:00 UTC.
  EXPECT_THAT(Ticks("30 2 * * *", "Europe/Berlin", Utc(2026, 10, 24, 12), 2),
              ElementsAre(Utc(2026, 10, 25, 0, 30), Utc(2026, 10, 26, 1, 30)));
  EXPECT_THAT(Ticks("0 * * * *", "Europe/Berlin", Utc(2026, 10, 24, 23, 30), 3),
              ElementsAre(Utc(2026, 10, 25, 0), Utc(2026, 10, 25, 2), Utc(2026, 10, 25, 3)));
  // Asked for within the second time.
  EXPECT_EQ(Parsed("30 2 * * *").Next(Utc(2026, 10, 25, 1, 10), Zone("Europe/Berlin")), Utc(2026, 10, 26, 1, 30));
  EXPECT_EQ(Parsed("30 2 * * *").Latest(Utc(2026, 10, 25, 1, 10), Zone("Europe/Berlin")), Utc(2026, 10, 25, 0, 30));
}

TEST(CronSchedule, TheLatestTickIsNotBehindTheMoment) {
  const Schedule nightly = Parsed("0 3 * * *");
  EXPECT_EQ(nightly.Latest(Utc(2026, 1, 2, 3), Zone("UTC")), Utc(2026, 1, 2, 3));
  EXPECT_EQ(nightly.Latest(Utc(2026, 1, 2, 3) - std::chrono::microseconds{1}, Zone("UTC")), Utc(2026, 1, 1, 3));
  EXPECT_EQ(Parsed("0 0 29 2 *").Latest(Utc(2026, 1, 2), Zone("UTC")), Utc(2024, 2, 29));
}

TEST(CronSchedule, WhatIsNoneIsRefusedWithItsField) {
  const std::vector<std::pair<std::string, std::string>> wrongs = {
      {"", "five fields"},
      {"* * * *", "five fields"},
      {"0 * * * * *", "five fields"},
      {"@reboot", "five fields"},
      {"@every 1h", "five fields"},
      {"TZ=UTC 0 3 * * *", "a time zone is set apart"},
      {"60 * * * *", "minute \"60\": a value is 0 to 59"},
      {"-1 * * * *", "minute"},
      {"+1 * * * *", "minute"},
      {"1.5 * * * *", "minute"},
      {"* 24 * * *", "hour \"24\": a value is 0 to 23"},
      {"* * 0 * *", "day of month \"0\": a value is 1 to 31"},
      {"* * 32 * *", "day of month"},
      {"* * * 13 *", "month \"13\": a value is 1 to 12, or JAN to DEC"},
      {"* * * FOO *", "month"},
      {"* * * * 8", "day of week \"8\": a value is 0 to 7, or SUN to SAT"},
      {"* * * * FRI-MON", "a range goes upwards"},
      {"10-5 * * * *", "a range goes upwards"},
      {"*/0 * * * *", "a step is 1 to 60"},
      {"*/61 * * * *", "a step is 1 to 60"},
      {"*/ * * * *", "a step"},
      {"1, * * * *", "minute"},
      {",1 * * * *", "minute"},
      {"1--2 * * * *", "minute"},
      {"1-2-3 * * * *", "minute"},
      {"** * * * *", "minute"},
      {"99999999999999999999 * * * *", "minute"},
      {"0 0 30 2 *", "no year has such a day"},
      {"0 0 31 4,6,9,11 *", "no year has such a day"},
      {std::string(300, '*'), "longer than 256 bytes"},
  };
  for (const auto& [text, why] : wrongs) {
    const auto schedule = Schedule::Parse(text);
    ASSERT_FALSE(schedule.ok()) << text;
    EXPECT_EQ(schedule.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(schedule.error().message(), AllOf(HasSubstr("is no schedule"), HasSubstr(why))) << text;
  }
}

}  // namespace
}  // namespace holdfast::cron
