// "unknown X; did you mean Y?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace holdfast::api {

// The name with the smallest edit distance (Levenshtein, ASCII case ignored), or empty when none is near enough to be
// what was meant.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> known);

// " (did you mean \"limit\"?)" or, when nothing is near, "; known: a, b, c". Ready to stand behind a message.
std::string NearestHint(std::string_view name, std::span<const std::string_view> known);

}  // namespace holdfast::api
