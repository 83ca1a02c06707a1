// YAML documents as JSON values and back, for manifests. Over yaml-cpp, which only base/config includes. Scalars follow
// YAML 1.2's core schema: plain true/false/null/numbers have their types, everything quoted (or tagged !!str) is a
// string.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"

namespace holdfast::config {

// Every document of a stream separated by `---`; empty ones are left out. kInvalidArgument names `name`:line:column.
// Refused: duplicate keys, aliases (they can grow without bound), nesting deeper than 64, tags other than !!str,
// numbers JSON cannot spell, and integers with a leading zero (octal to kubectl, decimal to YAML 1.2: write 0o644).
Result<std::vector<nlohmann::json>> ParseYamlDocuments(std::string_view text, std::string_view name);

// Block style, keys in the order kubectl prints them: apiVersion, kind, metadata first, the rest sorted. Strings are
// quoted where a plain scalar would read back as something else, here or in kubectl (which takes "yes" for true). Ends
// in a newline.
std::string ToYaml(const nlohmann::json& document);

}  // namespace holdfast::config
