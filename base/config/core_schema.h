// What a plain YAML scalar is, by its looks alone (YAML 1.2.2, section 10.3.2).
#pragma once

#include <string_view>

namespace holdfast::config {

enum class PlainType { kNull, kBool, kInteger, kFloat, kNotANumber, kString };

PlainType PlainTypeOf(std::string_view scalar);

}  // namespace holdfast::config
