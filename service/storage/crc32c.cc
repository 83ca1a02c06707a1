#include "service/storage/crc32c.h"

#include <array>
#include <cstring>

namespace holdfast::storage {
namespace {

using Table = std::array<std::uint32_t, 256>;

constexpr Table MakeTable() {
  constexpr std::uint32_t kReflectedPolynomial = 0x82f63b78;
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReflectedPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}

constexpr Table kTable = MakeTable();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t Crc32cHardware(std::string_view data, std::uint32_t previous) {
  std::uint64_t crc = ~previous;
  while (data.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data(), sizeof(word));
    crc = __builtin_ia32_crc32di(crc, word);
    data.remove_prefix(8);
  }
  auto tail = static_cast<std::uint32_t>(crc);
  if (data.size() >= 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, data.data(), sizeof(word));
    tail = __builtin_ia32_crc32si(tail, word);
    data.remove_prefix(4);
  }
  for (const char byte : data) tail = __builtin_ia32_crc32qi(tail, static_cast<unsigned char>(byte));
  return ~tail;
}
#endif

}  // namespace

std::uint32_t Crc32cPortable(std::string_view data, std::uint32_t previous) {
  std::uint32_t crc = ~previous;
  for (const char byte : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

std::uint32_t Crc32c(std::string_view data, std::uint32_t previous) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return Crc32cHardware(data, previous);
#endif
  return Crc32cPortable(data, previous);
}

}  // namespace holdfast::storage
