#include "operator/kube/base64.h"

#include <array>
#include <cstdint>

namespace holdfast::kube {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> MakeValues() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = kForeign;
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> kValues = MakeValues();

}  // namespace

std::string Base64Encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    }
    const std::size_t present = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 4; ++j) {
      text.push_back(j <= present ? kAlphabet[(group >> (18 - 6 * j)) & 0x3f] : '=');
    }
  }
  return text;
}

Result<std::string> Base64Decode(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  int digits = 0;
  int padding = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ') continue;
    const bool pad = c == '=';
    const std::uint8_t value = pad ? std::uint8_t{0} : kValues[static_cast<std::uint8_t>(c)];
    if (value == kForeign || (padding > 0 && !pad) || (pad && digits < 2)) {
      return Error(ErrorCode::kInvalidArgument, "not base64");
    }
    padding += pad ? 1 : 0;
    group = (group << 6) | value;
    if (++digits < 4) continue;
    for (int i = 0; i < 3 - padding; ++i) bytes.push_back(static_cast<char>((group >> (16 - 8 * i)) & 0xff));
    group = 0;
    digits = 0;
    // A group with padding is the last one: anything after it would be a digit after padding.
  }
  if (digits != 0 || padding > 2) return Error(ErrorCode::kInvalidArgument, "not base64: it ends inside a group");
  return bytes;
}

}  // namespace holdfast::kube
