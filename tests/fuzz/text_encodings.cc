// Percent, base64 and UTF-8. What decodes is what the encoder writes; UTF-8 agrees with a second, dull reading of
// Unicode's table 3-7; a query is taken apart without loss.
#include <array>
#include <string>

#include "service/api/encoding.h"
#include "service/api/query_string.h"
#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;

std::string EncodePercent(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back('%');
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

// Decodes scalar by scalar and holds the value to its bounds, where the product compares bytes with the table.
bool IsUtf8ByScalars(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length == 0 || at + length > bytes.size()) return false;
    static constexpr std::array<std::uint32_t, 5> kMask = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    std::uint32_t scalar = first & kMask[length];
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if (next >> 6 != 2) return false;
      scalar = scalar << 6 | (next & 0x3f);
    }
    if (scalar < kLeast[length] || scalar > 0x10ffff || (scalar >= 0xd800 && scalar < 0xe000)) return false;
    at += length;
  }
  return true;
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  using holdfast::fuzz::Check;
  const std::string_view bytes = holdfast::fuzz::Input(data, size).Rest();

  Check(DecodePercent(EncodePercent(bytes)) == std::string(bytes), "percent: what was encoded comes back");
  if (const auto decoded = DecodePercent(bytes)) {
    Check(decoded->size() <= bytes.size(), "percent: decoding never grows");
    if (bytes.find('%') == bytes.npos) Check(*decoded == bytes, "percent: only '%' means anything");
  }
  Check(Base64Decode(Base64Encode(bytes)) == std::string(bytes), "base64: what was encoded comes back");
  Check(Base64UrlDecode(Base64UrlEncode(bytes)) == std::string(bytes), "base64url: what was encoded comes back");
  if (const auto decoded = Base64Decode(bytes)) Check(Base64Encode(*decoded) == bytes, "base64: one spelling only");
  if (const auto decoded = Base64UrlDecode(bytes)) {
    Check(Base64UrlEncode(*decoded) == bytes, "base64url: one spelling only");
  }
  Check(IsValidUtf8(bytes) == IsUtf8ByScalars(bytes), "UTF-8: both readings agree");

  static constexpr std::array<std::string_view, 3> kKnown = {"prefix", "limit", "a"};
  if (const auto query = Query::Parse(bytes, kKnown); query.ok()) {
    for (const std::string_view name : kKnown) {
      if (const std::string* value = query->Find(name)) Check(value->size() <= size, "query: values never grow");
    }
  }
  return 0;
}
