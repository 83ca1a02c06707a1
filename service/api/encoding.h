// Bytes as JSON text can carry them: UTF-8 as it is, everything else in base64 (RFC 4648).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/json/utf8.h"

namespace holdfast::api {

using json::IsValidUtf8;

// Standard alphabet with padding (section 4).
std::string Base64Encode(std::string_view bytes);
// nullopt for anything the encoder would not have written: wrong padding, stray bits, white space.
std::optional<std::string> Base64Decode(std::string_view text);

// URL-safe alphabet without padding (section 5), for cursors.
std::string Base64UrlEncode(std::string_view bytes);
std::optional<std::string> Base64UrlDecode(std::string_view text);

// Percent-decodes once; '+' is an ordinary character. nullopt when a '%' is not followed by two hex digits.
std::optional<std::string> DecodePercent(std::string_view text);

}  // namespace holdfast::api
