// A filter's text as tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result/result.h"

namespace holdfast::query {

struct Token {
  enum class Kind { kWord, kString, kInteger, kDouble, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::size_t position = 1;  // of its first byte; the text begins at 1
  std::string text;          // kWord, kSymbol: as written. kString: unescaped
  std::int64_t integer = 0;  // kInteger
  double number = 0;         // kDouble
};

// "the word \"like\"", "the end": for messages.
std::string Describe(const Token& token);
// kInvalidArgument: `message` and the place.
Error ErrorAt(std::size_t position, std::string_view message);

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // kEnd again and again once the text is used up.
  Result<Token> Next();

 private:
  Result<Token> ReadString();
  Result<Token> ReadNumber();
  Token ReadWord();
  Result<Token> ReadSymbol();
  bool AtEnd() const { return next_ == text_.size(); }

  const std::string_view text_;  // outlives the lexer, which lives for one call
  std::size_t next_ = 0;
};

}  // namespace holdfast::query
