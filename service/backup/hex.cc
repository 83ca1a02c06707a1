#include "service/backup/hex.h"

namespace holdfast::backup {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr unsigned kHalf = 4;
constexpr unsigned kLowHalf = 0xF;

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string digits;
  digits.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    digits.push_back(kDigits[value >> kHalf]);
    digits.push_back(kDigits[value & kLowHalf]);
  }
  return digits;
}

std::optional<std::string> FromHex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    const std::size_t high = kDigits.find(digits[at]);
    const std::size_t low = kDigits.find(digits[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<char>((high << kHalf) | low));
  }
  return bytes;
}

}  // namespace holdfast::backup
