#include "service/query/evaluate.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace holdfast::query {
namespace {

using json::JsonValue;

// Without rounding the integer to a double, which would make 2^53 + 1 equal to 2^53.
std::partial_ordering CompareExactly(std::int64_t integer, double number) {
  constexpr double kEnd = 9223372036854775808.0;  // 2^63
  if (std::isnan(number)) return std::partial_ordering::unordered;
  if (number >= kEnd) return std::partial_ordering::less;
  if (number < -kEnd) return std::partial_ordering::greater;
  const double whole = std::trunc(number);
  const auto order = integer <=> static_cast<std::int64_t>(whole);
  if (order != 0) return order;
  return whole <=> number;
}

std::partial_ordering Reverse(std::partial_ordering order) {
  return 0 <=> order;
}

std::optional<double> DoubleOf(std::string_view written) {
  double number = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  // The JSON reader lets no overflow through: what is out of range is too small.
  return error == std::errc() ? number : 0.0;
}

}  // namespace

std::partial_ordering Compare(const Literal& left, const Literal& right) {
  if (const auto* integer = std::get_if<std::int64_t>(&left)) {
    if (const auto* other = std::get_if<std::int64_t>(&right)) return *integer <=> *other;
    if (const auto* number = std::get_if<double>(&right)) return CompareExactly(*integer, *number);
    return std::partial_ordering::unordered;
  }
  if (const auto* number = std::get_if<double>(&left)) {
    if (const auto* other = std::get_if<double>(&right)) return *number <=> *other;
    if (const auto* integer = std::get_if<std::int64_t>(&right)) return Reverse(CompareExactly(*integer, *number));
    return std::partial_ordering::unordered;
  }
  if (left.index() != right.index()) return std::partial_ordering::unordered;
  if (const auto* text = std::get_if<std::string>(&left)) {
    return text->compare(std::get<std::string>(right)) <=> 0;
  }
  if (const auto* boolean = std::get_if<bool>(&left)) return int{*boolean} <=> int{std::get<bool>(right)};
  return std::partial_ordering::equivalent;
}

std::optional<Literal> ScalarOf(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return nullptr;
    case JsonValue::Kind::kBool:
      return value.boolean;
    case JsonValue::Kind::kInteger:
      return value.integer;
    case JsonValue::Kind::kNumber: {
      const auto number = DoubleOf(value.text);
      if (!number) return std::nullopt;
      return *number;
    }
    case JsonValue::Kind::kString:
      return value.text;
    case JsonValue::Kind::kArray:
    case JsonValue::Kind::kObject:
    case JsonValue::Kind::kBytes:
      break;
  }
  return std::nullopt;
}

const JsonValue* FindPath(const JsonValue& root, const std::vector<std::string>& path, std::size_t first) {
  const JsonValue* value = &root;
  for (std::size_t i = first; i < path.size() && value != nullptr; ++i) {
    // Find looks at names, which only objects have.
    value = value->Find(path[i]);
  }
  return value;
}

bool Holds(const Comparison& comparison, const Literal& value) {
  const auto equals = [&](const Literal& literal) { return Compare(value, literal) == 0; };
  if (comparison.op == Operator::kIn) {
    return std::any_of(comparison.literals.begin(), comparison.literals.end(), equals);
  }
  if (comparison.op == Operator::kHas || comparison.op == Operator::kExists) return false;
  const Literal& literal = comparison.literals.front();
  if (comparison.op == Operator::kNotEqual && std::holds_alternative<std::nullptr_t>(literal)) {
    return !std::holds_alternative<std::nullptr_t>(value);
  }
  const auto order = Compare(value, literal);
  if (order == std::partial_ordering::unordered) return false;
  switch (comparison.op) {
    case Operator::kEqual:
      return order == 0;
    case Operator::kNotEqual:
      return order != 0;
    case Operator::kLess:
      return order < 0;
    case Operator::kLessOrEqual:
      return order <= 0;
    case Operator::kGreater:
      return order > 0;
    case Operator::kGreaterOrEqual:
      return order >= 0;
    default:
      return false;
  }
}

bool Holds(const Comparison& comparison, const JsonValue* value) {
  if (value == nullptr) return false;
  if (comparison.op == Operator::kExists) return true;
  if (comparison.op == Operator::kHas) {
    if (value->kind != JsonValue::Kind::kArray) return false;
    return std::any_of(value->items.begin(), value->items.end(), [&](const JsonValue& item) {
      const auto scalar = ScalarOf(item);
      return scalar && Compare(*scalar, comparison.literals.front()) == 0;
    });
  }
  const auto scalar = ScalarOf(*value);
  if (scalar) return Holds(comparison, *scalar);
  // An array or an object is of no literal's type; it is there, and it is not null.
  return comparison.op == Operator::kNotEqual && std::holds_alternative<std::nullptr_t>(comparison.literals.front());
}

bool Matches(const Filter& filter, const JsonValue& document) {
  return std::all_of(filter.comparisons.begin(), filter.comparisons.end(), [&](const Comparison& comparison) {
    return Holds(comparison, FindPath(document, comparison.path));
  });
}

}  // namespace holdfast::query
