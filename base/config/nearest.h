// "Did you mean": the known name closest to a mistyped one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::config {

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment) that turn `a` into `b`.
std::size_t EditDistance(std::string_view a, std::string_view b);

// The closest of `known`, the first of equals; nothing when even that one is too far off to be a slip: more than a
// third of the name, and more than two edits. A dotted name given without its section is recognised too.
std::optional<std::string> Nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace holdfast::config
