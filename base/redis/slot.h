// Which of the slots of a Redis Cluster a key lies in (Redis Cluster specification, "Key distribution model").
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::redis {

inline constexpr std::uint16_t kSlots = 16'384;

// CRC-16/XMODEM: polynomial 0x1021, begins with 0. `crc` is that of the bytes in front.
std::uint16_t Crc16(std::string_view bytes, std::uint16_t crc = 0);

// What of a key decides: what stands between the first '{' and the first '}' behind it, unless that is nothing; else
// the whole key. A part of `key`.
std::string_view HashTagOf(std::string_view key);

// CRC16(HashTagOf(key)) mod kSlots.
std::uint16_t SlotOf(std::string_view key);

}  // namespace holdfast::redis
