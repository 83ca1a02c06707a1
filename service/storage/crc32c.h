// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, initial value and final xor all ones), as in RFC 3720 appendix
// B.4. Uses the processor's instruction where it has one. Any change of up to 32 neighbouring bits is detected.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::storage {

// Crc32c(a + b) == Crc32c(b, Crc32c(a)).
std::uint32_t Crc32c(std::string_view data, std::uint32_t previous = 0);

// The table-driven way, which every processor can go; exposed so that the tests can compare the two.
std::uint32_t Crc32cPortable(std::string_view data, std::uint32_t previous = 0);

}  // namespace holdfast::storage
