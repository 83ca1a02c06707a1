#include "service/migrations/sql_script.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::migrations {
namespace {

constexpr std::size_t kMaxWords = 12;
constexpr std::size_t kMaxSummary = 80;

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool IsNameCharacter(char c) {
  return IsLetter(c) || (c >= '0' && c <= '9') || c == '$';
}

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

class Splitter {
 public:
  explicit Splitter(std::string_view sql) : sql_(sql) {}

  Result<std::vector<Statement>> Run() {
    while (position_ < sql_.size()) {
      const char c = sql_[position_];
      if (c == ';') {
        Finish();
        ++position_;
      } else if (IsSpace(c)) {
        Skip(1);
      } else if (At("--")) {
        Skip(std::min(sql_.find('\n', position_), sql_.size()) - position_);
      } else if (At("/*")) {
        HOLDFAST_RETURN_IF_ERROR(SkipComment());
      } else {
        HOLDFAST_RETURN_IF_ERROR(Token());
      }
    }
    Finish();
    return std::move(statements_);
  }

 private:
  bool At(std::string_view text) const { return sql_.substr(position_, text.size()) == text; }

  void Skip(std::size_t count) {
    const std::string_view skipped = sql_.substr(position_, count);
    line_ += static_cast<int>(std::count(skipped.begin(), skipped.end(), '\n'));
    position_ += count;
  }

  Error NotClosed(std::string_view what, int line) const {
    return {ErrorCode::kInvalidArgument, fmt::format("line {}: {} is not closed", line, what)};
  }

  Status SkipComment() {
    const int line = line_;
    int depth = 0;
    do {
      if (position_ >= sql_.size()) return NotClosed("a comment", line);
      if (At("/*")) {
        ++depth;
        Skip(2);
      } else if (At("*/")) {
        --depth;
        Skip(2);
      } else {
        Skip(1);
      }
    } while (depth > 0);
    return {};
  }

  // A quote in the text is doubled; in an E'' string it may also stand behind a backslash.
  Status SkipQuoted(char quote, bool backslash) {
    const int line = line_;
    Skip(1);
    while (position_ < sql_.size()) {
      if (backslash && sql_[position_] == '\\') {
        Skip(2);
      } else if (sql_[position_] != quote) {
        Skip(1);
      } else if (sql_.substr(position_ + 1, 1) == std::string_view(&quote, 1)) {
        Skip(2);
      } else {
        Skip(1);
        return {};
      }
    }
    return NotClosed(quote == '"' ? "a quoted name" : "a string", line);
  }

  // $$ or $tag$; nothing otherwise (a parameter such as $1).
  std::string_view DollarTag() const {
    std::size_t end = position_ + 1;
    if (end < sql_.size() && sql_[end] >= '0' && sql_[end] <= '9') return {};
    while (end < sql_.size() && IsNameCharacter(sql_[end]) && sql_[end] != '$') ++end;
    if (end >= sql_.size() || sql_[end] != '$') return {};
    return sql_.substr(position_, end + 1 - position_);
  }

  Status Token() {
    if (start_ == std::string_view::npos) {
      start_ = position_;
      start_line_ = line_;
    }
    const char c = sql_[position_];
    const std::size_t begin = position_;
    if (c == '\'') {
      HOLDFAST_RETURN_IF_ERROR(SkipQuoted('\'', false));
    } else if (c == '"') {
      HOLDFAST_RETURN_IF_ERROR(SkipQuoted('"', false));
      AddWord(sql_.substr(begin, position_ - begin), false);
    } else if ((c == 'e' || c == 'E') && sql_.substr(position_ + 1, 1) == "'") {
      Skip(1);
      HOLDFAST_RETURN_IF_ERROR(SkipQuoted('\'', true));
    } else if (const std::string_view tag = c == '$' ? DollarTag() : std::string_view(); !tag.empty()) {
      const std::size_t close = sql_.find(tag, position_ + tag.size());
      if (close == std::string_view::npos) return NotClosed(fmt::format("the body {}", tag), line_);
      Skip(close + tag.size() - position_);
    } else if (IsLetter(c)) {
      while (position_ < sql_.size() && IsNameCharacter(sql_[position_])) Skip(1);
      AddWord(sql_.substr(begin, position_ - begin), true);
    } else {
      Skip(1);
    }
    end_ = position_;
    return {};
  }

  void AddWord(std::string_view word, bool upper) {
    if (word_count_ == kMaxWords) return;
    if (word_count_++ != 0) words_ += ' ';
    for (const char c : word) words_ += upper ? Upper(c) : c;
  }

  void Finish() {
    if (start_ != std::string_view::npos) {
      statements_.push_back({std::string(sql_.substr(start_, end_ - start_)), start_line_, std::move(words_)});
    }
    start_ = std::string_view::npos;
    words_.clear();
    word_count_ = 0;
  }

  const std::string_view sql_;
  std::size_t position_ = 0;
  int line_ = 1;
  // Of the statement being read.
  std::size_t start_ = std::string_view::npos;
  std::size_t end_ = 0;
  int start_line_ = 0;
  std::string words_;
  std::size_t word_count_ = 0;

  std::vector<Statement> statements_;
};

}  // namespace

std::string Statement::Summary() const {
  std::string summary;
  for (const char c : text) {
    if (summary.size() == kMaxSummary) return summary + "...";
    if (!IsSpace(c)) {
      summary += c;
    } else if (!summary.empty() && summary.back() != ' ') {
      summary += ' ';
    }
  }
  return summary;
}

Result<std::vector<Statement>> SplitStatements(std::string_view sql) {
  return Splitter(sql).Run();
}

}  // namespace holdfast::migrations
