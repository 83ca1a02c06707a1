#include "service/backends/postgres/condition_sql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "service/backends/postgres/array_codec.h"
#include "service/storage/types.h"

namespace holdfast::storage::postgres {
namespace {

using Field = EntryCondition::Field;
using Type = ArrayParameter::Type;

// What attributes_of makes of what JSONB cannot say.
constexpr std::string_view kUnclear = R"({"unclear":true})";

constexpr std::string_view SqlOperator(Operator op) {
  switch (op) {
    case Operator::kEqual:
      return "=";
    case Operator::kNotEqual:
      return "<>";
    case Operator::kLess:
      return "<";
    case Operator::kLessOrEqual:
      return "<=";
    case Operator::kGreater:
      return ">";
    case Operator::kGreaterOrEqual:
      return ">=";
    default:
      return "";
  }
}

// ASCII, and valid as JSON whatever the text is: what is no character of JSON is escaped.
std::string JsonString(std::string_view text) {
  std::string json = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') json.push_back('\\');
    if (static_cast<unsigned char>(byte) < ' ') {
      fmt::format_to(std::back_inserter(json), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      json.push_back(byte);
    }
  }
  json.push_back('"');
  return json;
}

// A double in the shortest way that reads back the same: what a clear row's number is compared with has no more digits.
std::string NumberText(const Literal& literal) {
  std::array<char, 32> digits{};
  char* const end = digits.data() + digits.size();
  const auto* integer = std::get_if<std::int64_t>(&literal);
  const auto written = integer != nullptr ? std::to_chars(digits.data(), end, *integer)
                                          : std::to_chars(digits.data(), end, std::get<double>(literal));
  return {digits.data(), written.ptr};
}

std::string JsonText(const Literal& literal) {
  if (std::holds_alternative<std::nullptr_t>(literal)) return "null";
  if (const auto* boolean = std::get_if<bool>(&literal)) return *boolean ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&literal)) return JsonString(*text);
  return NumberText(literal);
}

// jsonb_typeof
std::string_view JsonType(const Literal& literal) {
  if (std::holds_alternative<std::nullptr_t>(literal)) return "null";
  if (std::holds_alternative<bool>(literal)) return "boolean";
  return std::holds_alternative<std::string>(literal) ? "string" : "number";
}

// JSONB and text have no NUL, so nothing that is clear has it either.
bool HoldsNul(const Literal& literal) {
  const auto* text = std::get_if<std::string>(&literal);
  return text != nullptr && text->find('\0') != std::string::npos;
}
bool HoldsNul(const std::vector<std::string>& path) {
  return std::any_of(path.begin(), path.end(), [](const std::string& segment) { return HoldsNul(Literal(segment)); });
}

class Builder {
 public:
  explicit Builder(int first) : next_(first) {}

  void Add(const EntryCondition& condition) {
    const Comparison& comparison = condition.comparison;
    switch (condition.field) {
      case Field::kKey:
        result_.indexed |= comparison.op == Operator::kEqual || comparison.op == Operator::kIn;
        return AddBytes("e.key", comparison);
      case Field::kContentType:
        return AddBytes(fmt::format("coalesce(e.content_type, '{}'::bytea)", kDefaultContentType), comparison);
      case Field::kSize:
        return AddNumber("octet_length(e.value)", "numeric", comparison);
      case Field::kCreatedAt:
        return AddNumber("e.created_at", "bigint", comparison);
      case Field::kUpdatedAt:
        return AddNumber("e.updated_at", "bigint", comparison);
      case Field::kExpiresAt:
        return AddNumber("e.expires_at", "bigint", comparison);
      case Field::kTags:
        if (comparison.op == Operator::kExists) return AddTerm("e.tags IS NOT NULL");
        return AddContainment(comparison);
      case Field::kMetadata:
        return AddMetadata(comparison);
    }
  }

  ConditionSql Take() {
    if (result_.text.empty()) result_.text = "true";
    return std::move(result_);
  }

 private:
  void AddTerm(std::string_view term) { result_.text.append(result_.text.empty() ? "" : " AND ").append(term); }

  // "$7"
  std::string Bind(std::string_view bytes) {
    result_.parameters.emplace_back(bytes.data(), bytes.size());
    return fmt::format("${}", next_++);
  }
  std::string Bind(ArrayParameter array) { return Bind(array.Encoded()); }

  void AddBytes(std::string_view column, const Comparison& comparison) {
    const auto bytes = [](const Literal& literal) { return std::string_view(std::get<std::string>(literal)); };
    if (comparison.op == Operator::kExists) return;
    if (comparison.op == Operator::kIn) {
      ArrayParameter array(Type::kBytea);
      for (const Literal& literal : comparison.literals) array.AddBytes(bytes(literal));
      return AddTerm(fmt::format("{} = ANY({}::bytea[])", column, Bind(std::move(array))));
    }
    AddTerm(fmt::format("{} {} {}::bytea", column, SqlOperator(comparison.op), Bind(bytes(comparison.literals[0]))));
  }

  void AddNumber(std::string_view column, std::string_view type, const Comparison& comparison) {
    if (comparison.op == Operator::kExists) return AddTerm(fmt::format("{} IS NOT NULL", column));
    if (comparison.op == Operator::kIn) {
      ArrayParameter array(Type::kText);
      for (const Literal& literal : comparison.literals) array.AddBytes(NumberText(literal));
      return AddTerm(fmt::format("{} = ANY({}::text[]::{}[])", column, Bind(std::move(array)), type));
    }
    AddTerm(fmt::format("{} {} {}::text::{}", column, SqlOperator(comparison.op),
                        Bind(NumberText(comparison.literals[0])), type));
  }

  // {"metadata":{"a":{"b":"eu"}}}, for has {"metadata":{"a":{"b":["eu"]}}}
  static std::string Document(const Comparison& comparison, const Literal& literal) {
    std::string json;
    for (const std::string& segment : comparison.path) json.append("{").append(JsonString(segment)).append(":");
    const bool element = comparison.op == Operator::kHas;
    json.append(element ? "[" : "").append(JsonText(literal)).append(element ? "]" : "");
    return json.append(comparison.path.size(), '}');
  }

  // One of the literals stands at the place.
  void AddContainment(const Comparison& comparison) {
    ArrayParameter array(Type::kText);
    array.AddBytes(kUnclear);
    for (const Literal& literal : comparison.literals) {
      if (!HoldsNul(literal) && !HoldsNul(comparison.path)) array.AddBytes(Document(comparison, literal));
    }
    result_.indexed = true;
    AddTerm(fmt::format("e.attributes @> ANY({}::text[]::jsonb[])", Bind(std::move(array))));
  }

  void AddMetadata(const Comparison& comparison) {
    const Operator op = comparison.op;
    if (op == Operator::kEqual || op == Operator::kIn || op == Operator::kHas) return AddContainment(comparison);
    if (HoldsNul(comparison.path)) return AddClear("false");
    ArrayParameter path(Type::kText);
    for (const std::string& segment : comparison.path) path.AddBytes(segment);
    const std::string value = fmt::format("e.attributes #> {}::text[]", Bind(std::move(path)));
    if (op == Operator::kExists) return AddClear(fmt::format("({}) IS NOT NULL", value));
    const Literal& literal = comparison.literals[0];
    const bool is_null = std::holds_alternative<std::nullptr_t>(literal);
    if (is_null) return AddClear(fmt::format("({}) <> 'null'::jsonb", value));  // arrays and objects too
    const std::string typed = fmt::format("jsonb_typeof({}) = {}::text", value, Bind(JsonType(literal)));
    if (IsOrdering(op) && std::holds_alternative<std::string>(literal)) {
      // Byte by byte, whatever the database sorts by.
      return AddClear(fmt::format("{} AND convert_to(({}) #>> '{{}}', 'UTF8') {} {}::bytea", typed, value,
                                  SqlOperator(op), Bind(std::get<std::string>(literal))));
    }
    if (HoldsNul(literal)) return AddClear(typed);  // every string is another one
    AddClear(fmt::format("{} AND ({}) {} {}::text::jsonb", typed, value, SqlOperator(op), Bind(JsonText(literal))));
  }

  // What is unclear is let through.
  void AddClear(std::string_view term) {
    AddTerm(fmt::format("(({}) OR e.attributes @> '{}'::jsonb)", term, kUnclear));
  }

  ConditionSql result_;
  int next_;
};

}  // namespace

ConditionSql MakeConditionSql(const std::vector<EntryCondition>& conditions, int first) {
  Builder builder(first);
  for (const EntryCondition& condition : conditions) builder.Add(condition);
  return builder.Take();
}

}  // namespace holdfast::storage::postgres
