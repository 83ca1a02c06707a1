#include "service/query/filter_lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "service/json/json_value.h"
#include "service/json/utf8.h"

namespace holdfast::query {
namespace {

constexpr std::array<std::string_view, 12> kSymbols = {"!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ",", "."};

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool BeginsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool ContinuesWord(char c) {
  return BeginsWord(c) || IsDigit(c) || c == '-';
}

}  // namespace

Error ErrorAt(std::size_t position, std::string_view message) {
  return {ErrorCode::kInvalidArgument, fmt::format("at byte {}: {}", position, message)};
}

std::string Describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kWord:
      return fmt::format("the word \"{}\"", token.text);
    case Token::Kind::kString:
      return "a string";
    case Token::Kind::kInteger:
    case Token::Kind::kDouble:
      return "a number";
    case Token::Kind::kSymbol:
      return fmt::format("\"{}\"", token.text);
    case Token::Kind::kEnd:
      break;
  }
  return "the end";
}

Result<Token> Lexer::Next() {
  while (!AtEnd() && IsBlank(text_[next_])) ++next_;
  if (AtEnd()) {
    Token end;
    end.position = next_ + 1;
    return end;
  }
  const char c = text_[next_];
  if (c == '"') return ReadString();
  if (c == '-' || IsDigit(c)) return ReadNumber();
  if (BeginsWord(c)) return ReadWord();
  return ReadSymbol();
}

Token Lexer::ReadWord() {
  Token token;
  token.kind = Token::Kind::kWord;
  token.position = next_ + 1;
  const std::size_t begin = next_;
  while (!AtEnd() && ContinuesWord(text_[next_])) ++next_;
  token.text = text_.substr(begin, next_ - begin);
  return token;
}

Result<Token> Lexer::ReadSymbol() {
  Token token;
  token.kind = Token::Kind::kSymbol;
  token.position = next_ + 1;
  const std::string_view rest = text_.substr(next_);
  if (rest.starts_with("==")) return ErrorAt(token.position, "\"==\" is no operator; write = for equality");
  if (rest.starts_with("<>")) return ErrorAt(token.position, "\"<>\" is no operator; write != for inequality");
  if (rest.front() == '\'') return ErrorAt(token.position, "strings stand in double quotes, like \"kafka\"");
  for (const std::string_view symbol : kSymbols) {
    if (!rest.starts_with(symbol)) continue;
    token.text = symbol;
    next_ += symbol.size();
    return token;
  }
  return ErrorAt(token.position,
                 "a character with no meaning here; a filter is path, operator and value, joined by \" and \"");
}

Result<Token> Lexer::ReadString() {
  Token token;
  token.kind = Token::Kind::kString;
  token.position = next_ + 1;
  std::size_t end = next_ + 1;
  while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
  if (end >= text_.size()) return ErrorAt(token.position, "the string does not end; close it with \"");
  // A JSON string: its reader knows the escapes, surrogate pairs and what is no UTF-8.
  auto parsed = json::ParseJson(text_.substr(next_, end + 1 - next_));
  if (!parsed.ok()) {
    return ErrorAt(token.position, "the string is not written as in JSON; escape \" and \\ with a \\");
  }
  token.text = std::move(parsed->text);
  next_ = end + 1;
  return token;
}

Result<Token> Lexer::ReadNumber() {
  Token token;
  token.position = next_ + 1;
  std::size_t end = next_;
  const auto in_number = [](char c) { return ContinuesWord(c) || c == '.' || c == '+'; };
  while (end < text_.size() && in_number(text_[end])) ++end;
  const std::string_view written = text_.substr(next_, end - next_);
  const auto parsed = json::ParseJson(written);
  if (!parsed.ok() ||
      (parsed->kind != json::JsonValue::Kind::kInteger && parsed->kind != json::JsonValue::Kind::kNumber)) {
    return ErrorAt(token.position, "not a number as JSON writes it and double can hold; write one like -12 or 2.5e3");
  }
  next_ = end;
  if (parsed->kind == json::JsonValue::Kind::kInteger) {
    token.kind = Token::Kind::kInteger;
    token.integer = parsed->integer;
    return token;
  }
  if (written.find_first_of(".eE") == std::string_view::npos) {
    return ErrorAt(token.position, "the integer does not fit 64 signed bits; write it with a fraction (1.0)");
  }
  token.kind = Token::Kind::kDouble;
  const auto [last, error] = std::from_chars(written.data(), written.data() + written.size(), token.number);
  // What is too small for double is zero; what is too large was refused by the JSON reader.
  if (error == std::errc::result_out_of_range) token.number = 0;
  return token;
}

}  // namespace holdfast::query
