// SHA-256 (FIPS 180-4), over OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::tenancy {

using Digest = std::array<std::uint8_t, 32>;

Digest Sha256(std::string_view bytes);
// 64 lower-case hex digits.
std::string ToHex(const Digest& digest);
// Either case; nullopt unless it is exactly 64 hex digits.
std::optional<Digest> DigestFromHex(std::string_view hex);
// Takes the same time wherever they differ.
bool EqualInConstantTime(const Digest& a, const Digest& b);

// For unordered maps: a digest is its own hash.
struct DigestHash {
  std::size_t operator()(const Digest& digest) const;
};

}  // namespace holdfast::tenancy
