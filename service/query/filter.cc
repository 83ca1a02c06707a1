#include "service/query/filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "service/json/json_writer.h"
#include "service/json/utf8.h"
#include "service/query/filter_lexer.h"

namespace holdfast::query {
namespace {

constexpr std::array<std::string_view, 9> kOperators = {"=", "!=", "<", "<=", ">", ">=", "in", "has", "exists"};

bool IsWord(const Token& token, std::string_view word) {
  return token.kind == Token::Kind::kWord && token.text == word;
}
bool IsSymbol(const Token& token, std::string_view symbol) {
  return token.kind == Token::Kind::kSymbol && token.text == symbol;
}

// Recursive descent with one token of look-ahead; the grammar does not nest, so neither does the parser.
class Parser {
 public:
  Parser(std::string_view text, const FilterLimits& limits) : lexer_(text), limits_(limits) {}

  Result<Filter> Read() {
    HOLDFAST_RETURN_IF_ERROR(Advance());
    Filter filter;
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(Comparison comparison, ReadComparison());
      filter.comparisons.push_back(std::move(comparison));
      if (token_.kind == Token::Kind::kEnd) return filter;
      if (!IsWord(token_, "and")) return Expected("and, or the end");
      if (filter.comparisons.size() == limits_.max_comparisons) {
        return ErrorAt(token_.position,
                       fmt::format("more than {} comparisons; ask for less and filter the rest yourself",
                                   limits_.max_comparisons));
      }
      HOLDFAST_RETURN_IF_ERROR(Advance());
    }
  }

 private:
  Status Advance() {
    HOLDFAST_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return {};
  }
  Error Expected(std::string_view what) const {
    return ErrorAt(token_.position, fmt::format("{} stands where {} is expected", Describe(token_), what));
  }

  Result<Comparison> ReadComparison() {
    Comparison comparison;
    comparison.position = token_.position;
    HOLDFAST_ASSIGN_OR_RETURN(comparison.path, ReadPath());
    HOLDFAST_ASSIGN_OR_RETURN(comparison.op, ReadOperator());
    if (comparison.op == Operator::kExists) return comparison;
    if (comparison.op == Operator::kIn) {
      HOLDFAST_ASSIGN_OR_RETURN(comparison.literals, ReadList());
      return comparison;
    }
    const std::size_t position = token_.position;
    HOLDFAST_ASSIGN_OR_RETURN(Literal literal, ReadLiteral());
    if (IsOrdering(comparison.op) &&
        (std::holds_alternative<bool>(literal) || std::holds_alternative<std::nullptr_t>(literal))) {
      return ErrorAt(position, fmt::format("\"{}\" orders numbers and strings; for true, false and null write = or !=",
                                           OperatorName(comparison.op)));
    }
    comparison.literals.push_back(std::move(literal));
    return comparison;
  }

  Result<std::vector<std::string>> ReadPath() {
    std::vector<std::string> path;
    while (true) {
      if (token_.kind != Token::Kind::kWord && token_.kind != Token::Kind::kString) {
        return Expected("a path, like metadata.source (segments with other characters stand in double quotes)");
      }
      if (path.size() == limits_.max_path_segments) {
        return ErrorAt(token_.position, fmt::format("the path has more than {} segments", limits_.max_path_segments));
      }
      path.push_back(std::move(token_.text));
      HOLDFAST_RETURN_IF_ERROR(Advance());
      if (!IsSymbol(token_, ".")) return path;
      HOLDFAST_RETURN_IF_ERROR(Advance());
    }
  }

  Result<Operator> ReadOperator() {
    if (token_.kind == Token::Kind::kWord || token_.kind == Token::Kind::kSymbol) {
      const auto found = std::find(kOperators.begin(), kOperators.end(), token_.text);
      if (found != kOperators.end()) {
        const auto op = static_cast<Operator>(found - kOperators.begin());
        HOLDFAST_RETURN_IF_ERROR(Advance());
        return op;
      }
    }
    return Expected("an operator (= != < <= > >= in has exists)");
  }

  Result<std::vector<Literal>> ReadList() {
    // As SQL writes a list, or as JSON does.
    const bool brackets = IsSymbol(token_, "[");
    if (!brackets && !IsSymbol(token_, "(")) return Expected("a list in parentheses, like (\"a\", \"b\")");
    std::vector<Literal> literals;
    do {
      HOLDFAST_RETURN_IF_ERROR(Advance());
      if (literals.size() == limits_.max_literals) {
        return ErrorAt(token_.position, fmt::format("the list has more than {} values", limits_.max_literals));
      }
      HOLDFAST_ASSIGN_OR_RETURN(Literal literal, ReadLiteral());
      literals.push_back(std::move(literal));
    } while (IsSymbol(token_, ","));
    if (!IsSymbol(token_, brackets ? "]" : ")")) return Expected(brackets ? "\",\" or \"]\"" : "\",\" or \")\"");
    HOLDFAST_RETURN_IF_ERROR(Advance());
    return literals;
  }

  Result<Literal> ReadLiteral() {
    std::optional<Literal> literal;
    if (token_.kind == Token::Kind::kString) literal = std::move(token_.text);
    if (token_.kind == Token::Kind::kInteger) literal = token_.integer;
    if (token_.kind == Token::Kind::kDouble) literal = token_.number;
    if (IsWord(token_, "true")) literal = true;
    if (IsWord(token_, "false")) literal = false;
    if (IsWord(token_, "null")) literal = nullptr;
    if (!literal) return Expected("a value: a string in double quotes, a number, true, false or null");
    HOLDFAST_RETURN_IF_ERROR(Advance());
    return std::move(*literal);
  }

  Lexer lexer_;
  const FilterLimits& limits_;
  Token token_;
};

bool IsPlainSegment(std::string_view segment) {
  Lexer lexer(segment);
  const auto token = lexer.Next();
  return token.ok() && token->kind == Token::Kind::kWord && token->text.size() == segment.size();
}

std::string DoubleText(double number) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  std::string text(digits.data(), end);
  // Else it would read back as an integer.
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

std::string LiteralText(const Literal& literal) {
  if (const auto* text = std::get_if<std::string>(&literal)) {
    std::string quoted;
    json::AppendJsonString(&quoted, *text);
    return quoted;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&literal)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&literal)) return DoubleText(*number);
  if (const auto* boolean = std::get_if<bool>(&literal)) return *boolean ? "true" : "false";
  return "null";
}

std::string ComparisonText(const Comparison& comparison) {
  std::string text = PathText(comparison.path);
  text.append(" ").append(OperatorName(comparison.op));
  if (comparison.op == Operator::kExists) return text;
  text.append(comparison.op == Operator::kIn ? " (" : " ");
  for (std::size_t i = 0; i < comparison.literals.size(); ++i) {
    if (i > 0) text.append(", ");
    text.append(LiteralText(comparison.literals[i]));
  }
  if (comparison.op == Operator::kIn) text.append(")");
  return text;
}

}  // namespace

std::string_view OperatorName(Operator op) {
  return kOperators[static_cast<std::size_t>(op)];
}

Result<Filter> ParseFilter(std::string_view text, const FilterLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the filter has {} bytes; the limit is {}; shorten it", text.size(), limits.max_bytes));
  }
  if (!json::IsValidUtf8(text)) {
    return Error(ErrorCode::kInvalidArgument, "the filter is not valid UTF-8; percent-encode it as UTF-8");
  }
  return Parser(text, limits).Read();
}

std::string PathText(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& segment : path) {
    if (!text.empty()) text.push_back('.');
    if (IsPlainSegment(segment)) {
      text.append(segment);
    } else {
      json::AppendJsonString(&text, segment);
    }
  }
  return text;
}

std::string ToText(const Filter& filter) {
  std::string text;
  for (const Comparison& comparison : filter.comparisons) {
    if (!text.empty()) text.append(" and ");
    text.append(ComparisonText(comparison));
  }
  return text;
}

}  // namespace holdfast::query
