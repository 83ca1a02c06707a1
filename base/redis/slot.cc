#include "base/redis/slot.h"

#include <array>

namespace holdfast::redis {
namespace {

constexpr std::array<std::uint16_t, 256> kTable = [] {
  constexpr unsigned kPolynomial = 0x1021;
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1) ^ kPolynomial : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

}  // namespace

std::uint16_t Crc16(std::string_view bytes, std::uint16_t crc) {
  unsigned sum = crc;
  for (const char byte : bytes) {
    sum = ((sum << 8) & 0xffffU) ^ kTable[((sum >> 8) ^ static_cast<unsigned char>(byte)) & 0xffU];
  }
  return static_cast<std::uint16_t>(sum);
}

std::string_view HashTagOf(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const std::size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

std::uint16_t SlotOf(std::string_view key) {
  return Crc16(HashTagOf(key)) % kSlots;
}

}  // namespace holdfast::redis
