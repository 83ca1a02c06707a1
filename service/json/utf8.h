// Which bytes are text: what may stand in a JSON string. Pure; any bytes, any length, no limit of its own.
#pragma once

#include <string_view>

namespace holdfast::json {

// Well-formed UTF-8 as Unicode defines it (table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsValidUtf8(std::string_view bytes);

}  // namespace holdfast::json
