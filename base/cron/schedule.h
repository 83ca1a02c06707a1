// Cron expressions as Kubernetes' CronJobs have them, and when they come due.
//
// Five fields with blanks between: minute (0-59), hour (0-23), day of month (1-31), month (1-12, JAN-DEC), day of week
// (0-7, SUN-SAT; 0 and 7 are Sunday); each as field.h says. A day has to match both day fields; where neither is `*`,
// one of them is enough (crontab(5)). Also @yearly or @annually, @monthly, @weekly, @daily or @midnight, @hourly. No
// seconds, no @reboot, no @every, no TZ= (the zone is named apart).
//
// Ticks are minutes of the wall clock in a time zone. Where that clock is moved:
//   forward, past some minutes   what would have come due in them comes due once, right behind them
//   back, to show some twice     what comes due in them does so once, the first time
// So each local day has its nightly backup exactly once, and an hourly one pauses in the hour that is there twice;
// whoever wants the same distance all the year takes UTC.
#pragma once

#include <string>
#include <string_view>

#include "base/cron/field.h"
#include "base/cron/time_zone.h"

namespace holdfast::cron {

inline constexpr std::size_t kMaxExpressionBytes = 256;

// A value type; thread-safe.
class Schedule {
 public:
  // kInvalidArgument naming the field and the remedy, also for a day that no year has.
  static Result<Schedule> Parse(std::string_view expression);

  // As it was given.
  const std::string& text() const { return text_; }
  // Asks nothing of the zone.
  bool Matches(LocalMinute local) const;
  // The first tick behind `after`.
  Timestamp Next(Timestamp after, const TimeZone& zone) const;
  // The last one that is not behind `at`.
  Timestamp Latest(Timestamp at, const TimeZone& zone) const;

 private:
  bool MatchesDay(std::chrono::local_days day) const;
  bool MatchesMinute(std::chrono::minutes of_day) const;
  bool EverComes() const;
  // The first minute that matches from there on; the last one up to there.
  LocalMinute FirstFrom(LocalMinute local) const;
  LocalMinute LastUpTo(LocalMinute local) const;

  std::string text_;
  Field minute_;
  Field hour_;
  Field day_of_month_;
  Field month_;
  Field day_of_week_;
};

}  // namespace holdfast::cron
