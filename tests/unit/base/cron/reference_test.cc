// Random expressions against a slow reference: every minute of a time is looked at, with the clock of the C library.
// Over changes of the clock in both hemispheres. HOLDFAST_SEED chooses the expressions.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <set>

#include "base/cron/schedule.h"

namespace holdfast::cron {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::year;

std::uint64_t Seed() {
  const char* const seed = std::getenv("HOLDFAST_SEED");
  return seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
}

struct Window {
  const char* zone;
  std::chrono::year_month_day first;  // UTC
};

// Around what the clock did there.
constexpr Window kWindows[] = {
    {"Europe/Berlin", year{2026} / 3 / 28},        // 02:00 -> 03:00
    {"Europe/Berlin", year{2026} / 10 / 24},       // 03:00 -> 02:00
    {"America/New_York", year{2026} / 3 / 7},      // the other way round the world
    {"America/New_York", year{2026} / 10 / 31},    //
    {"Pacific/Auckland", year{2026} / 4 / 3},      // south: back in April
    {"Pacific/Auckland", year{2026} / 9 / 25},     // forward in September
    {"Australia/Lord_Howe", year{2026} / 4 / 3},   // half an hour
    {"Australia/Lord_Howe", year{2026} / 10 / 2},  //
    {"America/Santiago", year{2026} / 9 / 4},      // midnight does not exist
    {"America/Santiago", year{2026} / 4 / 3},      // 23:00 comes twice, and with it the day before
    {"America/St_Johns", year{2006} / 10 / 28},    // 00:01 -> 23:01
    {"Pacific/Apia", year{2011} / 12 / 28},        // a day that was left out
    {"Asia/Kathmandu", year{2026} / 2 / 27},       // never moved; 45 minutes
    {"UTC", year{2024} / 2 / 27},                  // a leap day
};
constexpr days kLength{4};

// What the clock shows at each minute, as the C library has it. Changes TZ of this process.
std::vector<LocalMinute> ClockOf(const Window& window) {
  ::setenv("TZ", window.zone, 1);
  ::tzset();
  std::vector<LocalMinute> shown;
  const auto begin = sys_days{window.first};
  for (minutes at{0}; at < kLength; ++at) {
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>((begin + at).time_since_epoch()).count();
    std::tm local{};
    ::localtime_r(&seconds, &local);
    const auto date = year{local.tm_year + 1900} / (local.tm_mon + 1) / local.tm_mday;
    shown.push_back(std::chrono::local_days{date} + hours{local.tm_hour} + minutes{local.tm_min});
  }
  return shown;
}

// A field as text, and what it allows.
struct RandomField {
  std::string text;
  std::set<int> values;
  bool any = false;
};

using Random = std::mt19937_64;

int Below(Random& random, int limit) {
  return static_cast<int>(random() % static_cast<std::uint64_t>(limit));
}

void AddTerm(Random& random, int first, int last, RandomField* field) {
  const int step = Below(random, 3) == 0 ? 1 + Below(random, last - first + 1) : 1;
  int from = first + Below(random, last - first + 1);
  int to = from;
  std::string text = std::to_string(from);
  const int kind = Below(random, 6);
  if (kind == 0) {
    from = first;
    to = last;
    text = "*";
    field->any = field->any || step == 1;
  } else if (kind <= 2) {
    to = from + Below(random, last - from + 1);
    text += "-" + std::to_string(to);
  } else if (step > 1) {
    to = last;
  }
  if (step > 1) text += "/" + std::to_string(step);
  for (int value = from; value <= to; value += step) field->values.insert(value);
  field->text += (field->text.empty() ? "" : ",") + text;
}

RandomField MakeField(Random& random, int first, int last, bool often_any) {
  RandomField field;
  if (often_any && Below(random, 2) == 0) {
    for (int value = first; value <= last; ++value) field.values.insert(value);
    field.text = "*";
    field.any = true;
    return field;
  }
  for (int terms = 1 + Below(random, 3); terms > 0; --terms) AddTerm(random, first, last, &field);
  return field;
}

struct RandomSchedule {
  std::array<RandomField, 5> fields;

  explicit RandomSchedule(Random& random)
      : fields{MakeField(random, 0, 59, false), MakeField(random, 0, 23, true), MakeField(random, 1, 31, true),
               MakeField(random, 1, 12, true), MakeField(random, 0, 7, true)} {}

  std::string text() const {
    std::string text;
    for (const RandomField& field : fields) text += (text.empty() ? "" : " ") + field.text;
    return text;
  }
  bool Matches(LocalMinute local) const {
    const auto day = std::chrono::floor<days>(local);
    const std::chrono::year_month_day date(day);
    const int of_day = static_cast<int>((local - day).count());
    const int weekday = static_cast<int>(std::chrono::weekday(day).c_encoding());
    const auto has = [this](std::size_t field, int value) { return fields[field].values.count(value) > 0; };
    if (!has(0, of_day % 60) || !has(1, of_day / 60) || !has(3, static_cast<int>(unsigned{date.month()}))) return false;
    const bool of_month = has(2, static_cast<int>(unsigned{date.day()}));
    const bool of_week = has(4, weekday) || (weekday == 0 && has(4, 7));
    return fields[2].any || fields[4].any ? of_month && of_week : of_month || of_week;
  }
};

// A minute is a tick when the clock shows what matches for the first time, or has just been moved past it.
std::vector<Timestamp> SlowTicks(const RandomSchedule& schedule, Timestamp begin,
                                 const std::vector<LocalMinute>& clock) {
  std::vector<Timestamp> ticks;
  LocalMinute latest = clock.front();
  for (std::size_t i = 1; i < clock.size(); ++i) {
    bool due = false;
    for (LocalMinute local = latest + minutes{1}; local <= clock[i]; ++local) due = due || schedule.Matches(local);
    if (due) ticks.push_back(begin + minutes{i});
    latest = std::max(latest, clock[i]);
  }
  return ticks;
}

TEST(CronReference, TicksAreThoseOfLookingAtEveryMinute) {
  constexpr int kSchedules = 40;
  std::printf("HOLDFAST_SEED=%llu\n", static_cast<unsigned long long>(Seed()));
  Random random(Seed());
  std::size_t seen = 0;
  for (const Window& window : kWindows) {
    const std::vector<LocalMinute> clock = ClockOf(window);
    const TimeZone zone = TimeZone::Load(window.zone).value();
    const Timestamp begin = sys_days{window.first};
    const Timestamp end = begin + minutes{clock.size()};
    for (int i = 0; i < kSchedules; ++i) {
      const RandomSchedule expected(random);
      const auto schedule = Schedule::Parse(expected.text());
      // A day that no year has.
      if (!schedule.ok()) continue;
      const std::vector<Timestamp> slow = SlowTicks(expected, begin, clock);
      std::vector<Timestamp> ticks;
      for (Timestamp at = schedule->Next(begin, zone); at < end; at = schedule->Next(at, zone)) ticks.push_back(at);
      ASSERT_EQ(ticks, slow) << expected.text() << " in " << window.zone << ", HOLDFAST_SEED=" << Seed();
      seen += ticks.size();
      for (int asked = 0; asked < 20 && !slow.empty(); ++asked) {
        const Timestamp at = slow.front() + minutes{Below(random, static_cast<int>(clock.size()))};
        const auto behind = std::upper_bound(slow.begin(), slow.end(), at);
        if (at >= end) continue;
        ASSERT_EQ(schedule->Latest(at, zone), *std::prev(behind))
            << expected.text() << " in " << window.zone << ", HOLDFAST_SEED=" << Seed();
      }
    }
  }
  EXPECT_GT(seen, 1'000U) << "the expressions hardly ever come due";
}

}  // namespace
}  // namespace holdfast::cron
