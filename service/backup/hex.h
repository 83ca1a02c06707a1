// Bytes as hexadecimal digits, lower case. Pure, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::backup {

std::string ToHex(std::string_view bytes);
// nullopt for an odd count, and for what is none of 0-9 and a-f.
std::optional<std::string> FromHex(std::string_view digits);

}  // namespace holdfast::backup
