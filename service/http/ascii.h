// Characters as HTTP means them: ASCII only, whatever the locale says.
#pragma once

#include <cstddef>
#include <string_view>

namespace holdfast::api {

constexpr char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr bool EqualsIgnoringCase(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (LowerAscii(left[i]) != LowerAscii(right[i])) return false;
  }
  return true;
}

constexpr bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 9110, 5.6.2.
constexpr bool IsTokenCharacter(char c) {
  if (IsDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Control characters other than the horizontal tab: nowhere allowed in a head or a trailer.
constexpr bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

}  // namespace holdfast::api
