// The JSONPath that printer columns use: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`.
// Source: kubernetes.io/docs/reference/kubectl/jsonpath.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace holdfast::local {

using Json = nlohmann::json;

// Every value the path leads to; none when the path cannot be read.
std::vector<const Json*> EvaluateJsonPath(const Json& object, std::string_view path);

}  // namespace holdfast::local
