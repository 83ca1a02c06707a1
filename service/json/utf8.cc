#include "service/json/utf8.h"

#include <cstddef>

namespace holdfast::json {

bool IsValidUtf8(std::string_view bytes) {
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto* const end = p + bytes.size();
  const auto continues = [&](std::ptrdiff_t index, unsigned char low = 0x80, unsigned char high = 0xbf) {
    return end - p > index && p[index] >= low && p[index] <= high;
  };
  while (p != end) {
    if (*p < 0x80) {
      ++p;
    } else if (*p >= 0xc2 && *p <= 0xdf) {
      if (!continues(1)) return false;
      p += 2;
    } else if (*p >= 0xe0 && *p <= 0xef) {
      const unsigned char low = *p == 0xe0 ? 0xa0 : 0x80;
      const unsigned char high = *p == 0xed ? 0x9f : 0xbf;
      if (!continues(1, low, high) || !continues(2)) return false;
      p += 3;
    } else if (*p >= 0xf0 && *p <= 0xf4) {
      const unsigned char low = *p == 0xf0 ? 0x90 : 0x80;
      const unsigned char high = *p == 0xf4 ? 0x8f : 0xbf;
      if (!continues(1, low, high) || !continues(2) || !continues(3)) return false;
      p += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace holdfast::json
