// What verbs print in columns as wide as they need to be. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/time/clock.h"

namespace holdfast::kubectl {

class TextTable {
 public:
  explicit TextTable(std::string indent) : indent_(std::move(indent)) {}
  void Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Text() const;

 private:
  const std::string indent_;
  std::vector<std::vector<std::string>> rows_;
};

// Of an RFC 3339 time, as kubectl tells ages: one unit, or two when the first is small; "?" when it is none.
std::string AgeOf(const std::string& since, Timestamp now);

}  // namespace holdfast::kubectl
