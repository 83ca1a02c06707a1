// The query of a request target, strictly: percent-decoded once, '+' an ordinary character, no name twice.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::api {

class Query {
 public:
  // kInvalidArgument naming the parameter that is malformed, given twice or not in `known`.
  static Result<Query> Parse(std::string_view text, std::span<const std::string_view> known);

  // nullptr when it was not given. "?prefix" and "?prefix=" both give an empty value.
  const std::string* Find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace holdfast::api
