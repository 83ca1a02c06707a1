// YAML text as a tree that remembers where everything stood. The only file pair that includes yaml-cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::config {

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  int line = 0;  // from 1
  int column = 0;
  std::string scalar;
  bool plain = false;           // a scalar without quotes: its looks decide its type
  std::vector<YamlNode> keys;   // of a map, in the order of the text, duplicates included
  std::vector<YamlNode> items;  // of a sequence; of a map, the value of each key
};

// One tree per document, empty documents left out. kInvalidArgument ("name:line:column: what") for text that is no
// YAML, and for aliases, tags other than !!str and nesting deeper than 64.
Result<std::vector<YamlNode>> ParseYamlTree(std::string_view text, std::string_view name);

}  // namespace holdfast::config
