// What a setting's text may be, by its row.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config/settings.h"

namespace holdfast::config {

// Why `text` is no value of `row`, with limit and remedy, in words that go after the setting's name; nullopt when it is
// one. Never quotes a secret. Lists are checked by SplitList.
std::optional<std::string> WhatIsWrong(const Setting& row, std::string_view text);

// "a, b,c" → a b c; empty text is an empty list. nullopt when an item is empty.
std::optional<std::vector<std::string>> SplitList(std::string_view text);

// For the table in the documentation: "duration", "one of a, b"; "1 to 65535", "at least 1Ki", "".
std::string TypeText(const Setting& row);
std::string BoundsText(const Setting& row);

}  // namespace holdfast::config
