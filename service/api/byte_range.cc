#include "service/api/byte_range.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "service/http/ascii.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kUnit = "bytes=";

bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

// Of any length.
bool IsLess(std::string_view digits, std::string_view other) {
  digits = WithoutLeadingZeros(digits);
  other = WithoutLeadingZeros(other);
  return digits.size() != other.size() ? digits.size() < other.size() : digits < other;
}

// What is too large for the type is larger than any value, and so is its maximum.
std::size_t Saturated(std::string_view digits) {
  std::size_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return parsed.ec == std::errc() ? number : std::numeric_limits<std::size_t>::max();
}

ByteRange Part(std::size_t first, std::size_t length) {
  return {ByteRange::Kind::kPart, first, length};
}

}  // namespace

ByteRange SelectBytes(std::string_view range, std::size_t size) {
  constexpr ByteRange kWhole{};
  constexpr ByteRange kUnsatisfiable{ByteRange::Kind::kUnsatisfiable, 0, 0};
  if (!EqualsIgnoringCase(range.substr(0, kUnit.size()), kUnit)) return kWhole;
  range.remove_prefix(kUnit.size());
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return kWhole;
  const std::string_view first = range.substr(0, dash);
  const std::string_view last = range.substr(dash + 1);

  if (first.empty()) {
    if (!IsNumber(last)) return kWhole;
    const std::size_t length = std::min(Saturated(last), size);
    if (length > 0) return Part(size - length, length);
    return size == 0 && Saturated(last) > 0 ? kWhole : kUnsatisfiable;
  }
  if (!IsNumber(first) || !(last.empty() || IsNumber(last))) return kWhole;
  if (!last.empty() && IsLess(last, first)) return kWhole;
  const std::size_t begin = Saturated(first);
  if (begin >= size) return kUnsatisfiable;
  const std::size_t end = last.empty() ? size - 1 : std::min(Saturated(last), size - 1);
  return Part(begin, end - begin + 1);
}

}  // namespace holdfast::api
