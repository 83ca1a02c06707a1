#include "base/time/duration.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>

namespace holdfast {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t microseconds;
};

// Largest first, which FormatDuration relies on.
constexpr std::array<Unit, 6> kUnits{
    {{"d", 86'400'000'000}, {"h", 3'600'000'000}, {"m", 60'000'000}, {"s", 1'000'000}, {"ms", 1'000}, {"us", 1}}};
constexpr std::int64_t kMaximumMicroseconds = 36'525LL * 86'400'000'000;  // 100 years

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

Error BadDuration(std::string_view text, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("'{}' is not a duration: {}; write it like 250ms, 30s, 5m, 1h30m or 7d", text, why));
}

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Takes digits off the front of `rest`. Values past the largest duration stick there, so that no digit overflows.
std::int64_t TakeWhole(std::string_view& rest) {
  std::int64_t value = 0;
  while (!rest.empty() && IsDigit(rest.front())) {
    value = value > kMaximumMicroseconds ? value : value * 10 + (rest.front() - '0');
    rest.remove_prefix(1);
  }
  return value;
}

std::string_view TakeDigits(std::string_view& rest) {
  std::size_t count = 0;
  while (count < rest.size() && IsDigit(rest[count])) ++count;
  const std::string_view digits = rest.substr(0, count);
  rest.remove_prefix(count);
  return digits;
}

// 0.`digits` of `scale`, or nothing when that is not a whole number.
std::optional<std::int64_t> ExactFraction(std::string_view digits, std::int64_t scale) {
  while (!digits.empty() && digits.back() == '0') digits.remove_suffix(1);
  // A day is 2^13 * 3^3 * 5^8 us: a fraction of more than 13 digits never comes out whole.
  constexpr std::size_t kMostDigits = 13;
  if (digits.size() > kMostDigits) return std::nullopt;
  __extension__ using Wide = __int128;
  Wide numerator = 0;
  Wide denominator = 1;
  for (const char digit : digits) {
    numerator = numerator * 10 + (digit - '0');
    denominator *= 10;
  }
  const Wide product = numerator * scale;
  if (product % denominator != 0) return std::nullopt;
  return static_cast<std::int64_t>(product / denominator);
}

// Exactly `count` digits, or nothing.
std::optional<int> TakeNumber(std::string_view& rest, std::size_t count) {
  if (rest.size() < count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!IsDigit(rest[i])) return std::nullopt;
    value = value * 10 + (rest[i] - '0');
  }
  rest.remove_prefix(count);
  return value;
}

bool TakeAny(std::string_view& rest, std::string_view choices) {
  if (rest.empty() || choices.find(rest.front()) == std::string_view::npos) return false;
  rest.remove_prefix(1);
  return true;
}

}  // namespace

Result<std::chrono::microseconds> ParseDuration(std::string_view text) {
  if (text.empty()) return BadDuration(text, "it is empty");
  std::string_view rest = text;
  std::int64_t total = 0;
  while (!rest.empty()) {
    if (!IsDigit(rest.front())) {
      return BadDuration(text, rest.front() == '-' ? "it is negative" : "a number is missing");
    }
    const bool first = rest.data() == text.data();
    const std::int64_t whole = TakeWhole(rest);
    std::string_view fraction;
    if (TakeAny(rest, ".")) {
      fraction = TakeDigits(rest);
      if (fraction.empty()) return BadDuration(text, "digits are missing after the point");
    }
    std::size_t unit_size = 0;
    while (unit_size < rest.size() && !IsDigit(rest[unit_size])) ++unit_size;
    const std::string_view unit_name = rest.substr(0, unit_size);
    rest.remove_prefix(unit_size);
    if (unit_name.empty() && !first) return BadDuration(text, "its last number has no unit");
    const Unit* unit = FindUnit(unit_name.empty() ? "s" : unit_name);
    if (unit == nullptr) return BadDuration(text, fmt::format("'{}' is no unit", unit_name));
    if (whole > kMaximumMicroseconds / unit->microseconds) return BadDuration(text, "it is longer than 100 years");
    const std::optional<std::int64_t> part = ExactFraction(fraction, unit->microseconds);
    if (!part) return BadDuration(text, "it is finer than a microsecond");
    total += whole * unit->microseconds + *part;
    if (total > kMaximumMicroseconds) return BadDuration(text, "it is longer than 100 years");
  }
  return std::chrono::microseconds{total};
}

std::string FormatDuration(std::chrono::microseconds duration) {
  const std::int64_t count = duration.count();
  if (count == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (count % unit.microseconds == 0) return fmt::format("{}{}", count / unit.microseconds, unit.name);
  }
  return fmt::format("{}us", count);
}

std::string FormatTimestamp(Timestamp when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{when - day};
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) {
    std::string fraction = fmt::format(".{:06}", time.subseconds().count());
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += fraction;
  }
  return text + "Z";
}

Result<Timestamp> ParseTimestamp(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("'{}' is not an RFC 3339 time: {}; write it like 2026-11-21T01:02:03Z", text, why));
  };
  std::string_view rest = text;
  const std::optional<int> year = TakeNumber(rest, 4);
  if (!year || !TakeAny(rest, "-")) return bad("the year is not four digits and a dash");
  const std::optional<int> month = TakeNumber(rest, 2);
  if (!month || !TakeAny(rest, "-")) return bad("the month is not two digits and a dash");
  const std::optional<int> day = TakeNumber(rest, 2);
  if (!day || !TakeAny(rest, "Tt")) return bad("the day is not two digits and a T");
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return bad("there is no such day");
  const std::optional<int> hours = TakeNumber(rest, 2);
  if (!hours || *hours > 23 || !TakeAny(rest, ":")) return bad("the hour is not 00 to 23 and a colon");
  const std::optional<int> minutes = TakeNumber(rest, 2);
  if (!minutes || *minutes > 59 || !TakeAny(rest, ":")) return bad("the minute is not 00 to 59 and a colon");
  const std::optional<int> seconds = TakeNumber(rest, 2);
  if (!seconds || *seconds > 59) return bad("the second is not 00 to 59");

  std::chrono::microseconds fraction{0};
  if (TakeAny(rest, ".")) {
    const std::string_view digits = TakeDigits(rest);
    if (digits.empty()) return bad("digits are missing after the point");
    // Writers with nanosecond clocks send nine digits; what is finer than a microsecond is cut off.
    std::int64_t scale = 100'000;
    for (const char digit : digits.substr(0, 6)) {
      fraction += std::chrono::microseconds{(digit - '0') * scale};
      scale /= 10;
    }
  }

  std::chrono::minutes offset{0};
  if (!TakeAny(rest, "Zz")) {
    const bool west = !rest.empty() && rest.front() == '-';
    if (!TakeAny(rest, "+-")) return bad("it has no offset");
    const std::optional<int> offset_hours = TakeNumber(rest, 2);
    if (!offset_hours || *offset_hours > 23 || !TakeAny(rest, ":")) return bad("the offset is malformed");
    const std::optional<int> offset_minutes = TakeNumber(rest, 2);
    if (!offset_minutes || *offset_minutes > 59) return bad("the offset is malformed");
    offset = std::chrono::hours{*offset_hours} + std::chrono::minutes{*offset_minutes};
    if (west) offset = -offset;
  }
  if (!rest.empty()) return bad("something follows it");
  return Timestamp{std::chrono::sys_days{date}} + std::chrono::hours{*hours} + std::chrono::minutes{*minutes} +
         std::chrono::seconds{*seconds} + fraction - offset;
}

}  // namespace holdfast
