#include "service/api/encoding.h"

#include <array>
#include <cstdint>

namespace holdfast::api {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> Inverse(std::string_view alphabet) {
  std::array<std::uint8_t, 256> inverse{};
  inverse.fill(kNoDigit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    inverse[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return inverse;
}

constexpr auto kStandardInverse = Inverse(kStandard);
constexpr auto kUrlSafeInverse = Inverse(kUrlSafe);

std::string Encode(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  const auto at = [&](std::size_t index) { return std::uint32_t{static_cast<unsigned char>(bytes[index])}; };
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    text.push_back(alphabet[group >> 18]);
    text.push_back(alphabet[group >> 12 & 63]);
    text.push_back(alphabet[group >> 6 & 63]);
    text.push_back(alphabet[group & 63]);
  }
  const std::size_t rest = bytes.size() - i;
  if (rest == 0) return text;
  const std::uint32_t group = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0);
  text.push_back(alphabet[group >> 18]);
  text.push_back(alphabet[group >> 12 & 63]);
  if (rest == 2) text.push_back(alphabet[group >> 6 & 63]);
  if (padded) text.append(3 - rest, '=');
  return text;
}

// `text` without padding.
std::optional<std::string> Decode(std::string_view text, const std::array<std::uint8_t, 256>& inverse) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const std::uint8_t digit = inverse[static_cast<unsigned char>(c)];
    if (digit == kNoDigit) return std::nullopt;
    group = group << 6 | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(group >> bits & 0xff));
    }
  }
  // Left-over bits that are not zero would let two texts stand for the same bytes.
  if ((group & ((1u << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Base64Encode(std::string_view bytes) {
  return Encode(bytes, kStandard, true);
}

std::optional<std::string> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return Decode(text, kStandardInverse);
}

std::string Base64UrlEncode(std::string_view bytes) {
  return Encode(bytes, kUrlSafe, false);
}

std::optional<std::string> Base64UrlDecode(std::string_view text) {
  return Decode(text, kUrlSafeInverse);
}

std::optional<std::string> DecodePercent(std::string_view text) {
  std::size_t percent = text.find('%');
  if (percent == std::string_view::npos) return std::string(text);
  std::string bytes;
  bytes.reserve(text.size());
  while (percent != std::string_view::npos) {
    if (text.size() - percent < 3) return std::nullopt;
    const int high = HexDigit(text[percent + 1]);
    const int low = HexDigit(text[percent + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.append(text.substr(0, percent));
    bytes.push_back(static_cast<char>(high << 4 | low));
    text.remove_prefix(percent + 3);
    percent = text.find('%');
  }
  bytes.append(text);
  return bytes;
}

}  // namespace holdfast::api
