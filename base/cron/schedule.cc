#include "base/cron/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace holdfast::cron {
namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::minutes;

constexpr std::string_view kMonths[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                        "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
constexpr std::string_view kWeekdays[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"};
constexpr std::size_t kSunday = 0;
constexpr std::size_t kAlsoSunday = 7;

constexpr std::array kKinds = {
    FieldKind{"minute", 0, 59, {}},
    FieldKind{"hour", 0, 23, {}},
    FieldKind{"day of month", 1, 31, {}},
    FieldKind{"month", 1, 12, kMonths},
    FieldKind{"day of week", 0, 7, kWeekdays},
};

constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

Error Wrong(std::string_view expression, std::string_view why) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("\"{}\" is no schedule: {}", expression.substr(0, kMaxExpressionBytes), why)};
}

std::vector<std::string_view> WordsOf(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  std::vector<std::string_view> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
    if (text.empty()) return words;
    words.push_back(text.substr(0, text.find_first_of(kBlanks)));
    text.remove_prefix(words.back().size());
  }
}

// The five fields; empty: they are none.
std::vector<std::string_view> FieldsOf(std::string_view expression) {
  std::vector<std::string_view> words = WordsOf(expression);
  if (words.size() == 1) {
    const auto* const named = std::find_if(std::begin(kNamed), std::end(kNamed),
                                           [&words](const auto& each) { return each.first == words.front(); });
    if (named != std::end(kNamed)) return WordsOf(named->second);
  }
  if (words.size() != kKinds.size()) words.clear();
  return words;
}

}  // namespace

Result<Schedule> Schedule::Parse(std::string_view expression) {
  if (expression.size() > kMaxExpressionBytes) {
    return Wrong(expression, fmt::format("it is longer than {} bytes", kMaxExpressionBytes));
  }
  const std::vector<std::string_view> fields = FieldsOf(expression);
  if (fields.empty()) {
    return Wrong(expression,
                 "it has five fields (minute, hour, day of month, month, day of week) or is one of @hourly, @daily, "
                 "@weekly, @monthly and @yearly; a time zone is set apart");
  }
  Schedule schedule;
  schedule.text_ = expression;
  const std::array<Field*, kKinds.size()> to = {&schedule.minute_, &schedule.hour_, &schedule.day_of_month_,
                                                &schedule.month_, &schedule.day_of_week_};
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    auto field = ParseField(fields[i], kKinds[i]);
    if (!field.ok()) return Wrong(expression, field.error().message());
    *to[i] = *field;
  }
  if (schedule.day_of_week_.values.test(kAlsoSunday)) schedule.day_of_week_.values.set(kSunday);
  if (!schedule.EverComes()) return Wrong(expression, "no year has such a day; mend day of month or month");
  return schedule;
}

bool Schedule::EverComes() const {
  if (!day_of_week_.any && !day_of_month_.any) return true;
  // A leap year, and for the day of the week any will do: every date has each of them in some year.
  constexpr std::chrono::year kLeap{2024};
  for (local_days day{kLeap / 1 / 1}; day < local_days{(kLeap + std::chrono::years{1}) / 1 / 1}; day += days{1}) {
    const std::chrono::year_month_day date(day);
    if (month_.values.test(unsigned{date.month()}) && day_of_month_.values.test(unsigned{date.day()})) return true;
  }
  return false;
}

bool Schedule::MatchesDay(local_days day) const {
  const std::chrono::year_month_day date(day);
  if (!month_.values.test(unsigned{date.month()})) return false;
  const bool of_month = day_of_month_.values.test(unsigned{date.day()});
  const bool of_week = day_of_week_.values.test(std::chrono::weekday(day).c_encoding());
  const bool one_is_enough = !day_of_month_.any && !day_of_week_.any;
  return one_is_enough ? of_month || of_week : of_month && of_week;
}

bool Schedule::MatchesMinute(minutes of_day) const {
  const auto hour = std::chrono::floor<std::chrono::hours>(of_day);
  return hour_.values.test(static_cast<std::size_t>(hour.count())) &&
         minute_.values.test(static_cast<std::size_t>((of_day - hour).count()));
}

bool Schedule::Matches(LocalMinute local) const {
  const auto day = std::chrono::floor<days>(local);
  return MatchesDay(day) && MatchesMinute(local - day);
}

LocalMinute Schedule::FirstFrom(LocalMinute local) const {
  auto day = std::chrono::floor<days>(local);
  minutes of_day = local - day;
  while (true) {
    for (; MatchesDay(day) && of_day < days{1}; ++of_day) {
      if (MatchesMinute(of_day)) return day + of_day;
    }
    day += days{1};
    of_day = minutes{0};
  }
}

LocalMinute Schedule::LastUpTo(LocalMinute local) const {
  auto day = std::chrono::floor<days>(local);
  minutes of_day = local - day;
  while (true) {
    for (; MatchesDay(day) && of_day >= minutes{0}; --of_day) {
      if (MatchesMinute(of_day)) return day + of_day;
    }
    day -= days{1};
    of_day = days{1} - minutes{1};
  }
}

Timestamp Schedule::Next(Timestamp after, const TimeZone& zone) const {
  LocalMinute local = FirstFrom(zone.ToLocal(after));
  // The minute that it is, and those that the clock shows a second time.
  while (zone.ToInstant(local) <= after) local = FirstFrom(local + minutes{1});
  return zone.ToInstant(local);
}

Timestamp Schedule::Latest(Timestamp at, const TimeZone& zone) const {
  // Where the clock shows minutes a second time, it has shown later ones before.
  LocalMinute local = LastUpTo(zone.ToLocal(at) + kMaxSetBack);
  while (zone.ToInstant(local) > at) local = LastUpTo(local - minutes{1});
  return zone.ToInstant(local);
}

}  // namespace holdfast::cron
