#include "base/config/core_schema.h"

#include <algorithm>
#include <initializer_list>

namespace holdfast::config {
namespace {

std::string_view SkipDigits(std::string_view text) {
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') text.remove_prefix(1);
  return text;
}

std::string_view SkipSign(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text;
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> choices) {
  return std::find(choices.begin(), choices.end(), text) != choices.end();
}

bool IsPrefixedInteger(std::string_view text) {
  if (text.starts_with("0o")) return text.size() > 2 && text.find_first_not_of("01234567", 2) == text.npos;
  if (text.starts_with("0x"))
    return text.size() > 2 && text.find_first_not_of("0123456789abcdefABCDEF", 2) == text.npos;
  return false;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool IsFloat(std::string_view text) {
  const std::string_view digits = SkipSign(text);
  std::string_view rest = SkipDigits(digits);
  bool some = rest.size() < digits.size();
  if (!rest.empty() && rest.front() == '.') {
    const std::string_view fraction = rest.substr(1);
    rest = SkipDigits(fraction);
    some = some || rest.size() < fraction.size();
  }
  if (!some) return false;
  if (rest.empty()) return true;
  if (rest.front() != 'e' && rest.front() != 'E') return false;
  const std::string_view exponent = SkipSign(rest.substr(1));
  return !exponent.empty() && SkipDigits(exponent).empty();
}

}  // namespace

PlainType PlainTypeOf(std::string_view scalar) {
  if (scalar.empty() || IsOneOf(scalar, {"~", "null", "Null", "NULL"})) return PlainType::kNull;
  if (IsOneOf(scalar, {"true", "True", "TRUE", "false", "False", "FALSE"})) return PlainType::kBool;
  const std::string_view digits = SkipSign(scalar);
  if (IsOneOf(digits, {".inf", ".Inf", ".INF"}) || IsOneOf(scalar, {".nan", ".NaN", ".NAN"})) {
    return PlainType::kNotANumber;
  }
  if ((!digits.empty() && SkipDigits(digits).empty()) || IsPrefixedInteger(scalar)) return PlainType::kInteger;
  return IsFloat(scalar) ? PlainType::kFloat : PlainType::kString;
}

}  // namespace holdfast::config
