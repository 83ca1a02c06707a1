#include "base/config/settings_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/time/duration.h"

namespace holdfast::config {
namespace {

struct ByteUnit {
  std::string_view name;
  std::uint64_t bytes;
};
// Two-letter names first, so that "Ki" is not read as "K".
constexpr std::array<ByteUnit, 13> kByteUnits{{{"Ei", 1ULL << 60},
                                               {"Pi", 1ULL << 50},
                                               {"Ti", 1ULL << 40},
                                               {"Gi", 1ULL << 30},
                                               {"Mi", 1ULL << 20},
                                               {"Ki", 1ULL << 10},
                                               {"E", 1'000'000'000'000'000'000},
                                               {"P", 1'000'000'000'000'000},
                                               {"T", 1'000'000'000'000},
                                               {"G", 1'000'000'000},
                                               {"M", 1'000'000},
                                               {"k", 1'000},
                                               {"", 1}}};
constexpr auto kMostBytes = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr std::size_t kMostDigits = 19;  // of 2^63-1

__extension__ using Wide = unsigned __int128;

Error BadBytes(std::string_view text, std::string_view why) {
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("'{}' is not a quantity of bytes: {}; write it like 65536, 64Ki, 10Mi or 1Gi", text, why));
}

bool AllDigits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Exact in the largest unit that divides it, in powers of two.
std::string FormatBytes(std::int64_t bytes) {
  for (const ByteUnit& unit : kByteUnits) {
    const bool binary = unit.name.size() != 1;
    if (bytes > 0 && binary && static_cast<std::uint64_t>(bytes) % unit.bytes == 0) {
      return fmt::format("{}{}", static_cast<std::uint64_t>(bytes) / unit.bytes, unit.name);
    }
  }
  return std::to_string(bytes);
}

std::string BoundText(Type type, std::int64_t bound) {
  if (type == Type::kBytes) return FormatBytes(bound);
  if (type == Type::kDuration) return FormatDuration(std::chrono::microseconds{bound});
  return std::to_string(bound);
}

std::string Joined(const std::vector<std::string>& choices) {
  std::string joined;
  for (const std::string& choice : choices) joined.append(joined.empty() ? "" : ", ").append(choice);
  return joined;
}

std::optional<std::string> OutOfBounds(const Setting& row, std::int64_t number, std::string_view text) {
  const bool below = row.minimum && number < *row.minimum;
  const bool above = row.maximum && number > *row.maximum;
  if (!below && !above) return std::nullopt;
  return fmt::format("{} is {} the {} of {}; use {}", text, below ? "below" : "above", below ? "minimum" : "maximum",
                     BoundText(row.type, below ? *row.minimum : *row.maximum), BoundsText(row));
}

std::optional<std::string> WrongNumber(const Setting& row, std::string_view text) {
  if (row.type == Type::kBytes) {
    const Result<std::uint64_t> bytes = ParseBytes(text);
    if (!bytes.ok()) return bytes.error().message();
    return OutOfBounds(row, static_cast<std::int64_t>(*bytes), text);
  }
  if (row.type == Type::kDuration) {
    const Result<std::chrono::microseconds> duration = ParseDuration(text);
    if (!duration.ok()) return duration.error().message();
    return OutOfBounds(row, duration->count(), text);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    const std::string bounds = BoundsText(row);
    return fmt::format("'{}' is not an integer; use digits only{}{}", text, bounds.empty() ? "" : ", ", bounds);
  }
  return OutOfBounds(row, number, text);
}

}  // namespace

Result<std::uint64_t> ParseBytes(std::string_view text) {
  std::string_view number = text;
  ByteUnit unit{};
  for (const ByteUnit& candidate : kByteUnits) {
    if (number.ends_with(candidate.name)) {
      unit = candidate;
      break;
    }
  }
  number.remove_suffix(unit.name.size());
  const std::size_t point = number.find('.');
  std::string_view whole = number.substr(0, point);
  std::string_view fraction = point == number.npos ? std::string_view() : number.substr(point + 1);
  if (whole.empty() || (point != number.npos && fraction.empty()) || !AllDigits(whole) || !AllDigits(fraction)) {
    return BadBytes(text, "it needs digits and at most one unit");
  }
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
  if (whole.size() > kMostDigits) return BadBytes(text, "it is above 2^63-1");
  if (fraction.size() > kMostDigits) return BadBytes(text, "it is not a whole number of bytes");
  Wide digits = 0;
  for (const char digit : whole) digits = digits * 10 + static_cast<unsigned>(digit - '0');
  if (digits > kMostBytes / unit.bytes) return BadBytes(text, "it is above 2^63-1");
  Wide fraction_digits = 0;
  Wide scale = 1;
  for (const char digit : fraction) {
    fraction_digits = fraction_digits * 10 + static_cast<unsigned>(digit - '0');
    scale *= 10;
  }
  if (fraction_digits * unit.bytes % scale != 0) return BadBytes(text, "it is not a whole number of bytes");
  const Wide bytes = digits * unit.bytes + fraction_digits * unit.bytes / scale;
  if (bytes > kMostBytes) return BadBytes(text, "it is above 2^63-1");
  return static_cast<std::uint64_t>(bytes);
}

std::optional<std::string> WhatIsWrong(const Setting& row, std::string_view text) {
  std::optional<std::string> wrong;
  switch (row.type) {
    case Type::kString:
    case Type::kList:
      return std::nullopt;
    case Type::kBool:
      if (text == "true" || text == "false") return std::nullopt;
      wrong = fmt::format("'{}' is neither true nor false", text);
      break;
    case Type::kChoice:
      if (std::find(row.choices.begin(), row.choices.end(), text) != row.choices.end()) return std::nullopt;
      wrong = fmt::format("'{}' is not one of {}", text, Joined(row.choices));
      break;
    case Type::kInteger:
    case Type::kBytes:
    case Type::kDuration:
      wrong = WrongNumber(row, text);
      break;
  }
  if (wrong && row.secret) return "the value given (not shown) is not a valid " + TypeText(row);
  return wrong;
}

std::optional<std::vector<std::string>> SplitList(std::string_view text) {
  std::vector<std::string> items;
  if (text.find_first_not_of(' ') == text.npos) return items;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t first = item.find_first_not_of(' ');
    if (first == item.npos) return std::nullopt;
    items.emplace_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
    if (comma == text.npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::string TypeText(const Setting& row) {
  switch (row.type) {
    case Type::kString:
      return "text";
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "integer";
    case Type::kBytes:
      return "bytes";
    case Type::kDuration:
      return "duration";
    case Type::kChoice:
      return "one of " + Joined(row.choices);
    case Type::kList:
      return "list";
  }
  return "text";
}

std::string BoundsText(const Setting& row) {
  if (row.minimum && row.maximum) {
    return fmt::format("{} to {}", BoundText(row.type, *row.minimum), BoundText(row.type, *row.maximum));
  }
  if (row.minimum) return "at least " + BoundText(row.type, *row.minimum);
  if (row.maximum) return "at most " + BoundText(row.type, *row.maximum);
  return "";
}

}  // namespace holdfast::config
