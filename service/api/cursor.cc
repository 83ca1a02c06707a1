#include "service/api/cursor.h"

#include <array>
#include <cstdint>

#include "service/api/encoding.h"

namespace holdfast::api {
namespace {

// Goes into the check value: a cursor of another format fails the check.
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kCheckBytes = 8;

// FNV-1a, 64 bits (draft-eastlake-fnv), with the finalizer of MurmurHash3, since FNV alone spreads the last bytes
// badly.
class Checksum {
 public:
  void Byte(std::uint8_t byte) { state_ = (state_ ^ byte) * 0x100000001b3u; }
  // With its length in front, so that fields cannot run into each other.
  void Field(std::string_view field) {
    for (std::size_t length = field.size(), i = 0; i < 8; ++i, length >>= 8) Byte(static_cast<std::uint8_t>(length));
    for (const char c : field) Byte(static_cast<std::uint8_t>(c));
  }
  std::array<char, kCheckBytes> Finish() const {
    std::uint64_t value = state_;
    value = (value ^ value >> 33) * 0xff51afd7ed558ccdu;
    value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53u;
    value ^= value >> 33;
    std::array<char, kCheckBytes> bytes{};
    for (std::size_t i = 0; i < kCheckBytes; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    return bytes;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

std::array<char, kCheckBytes> Check(const ListScope& scope, std::string_view last_key) {
  Checksum checksum;
  checksum.Byte(kFormat);
  checksum.Field(scope.store);
  checksum.Field(scope.name_space);
  checksum.Field(scope.prefix);
  checksum.Field(scope.start);
  checksum.Field(scope.end);
  checksum.Byte(scope.descending ? 1 : 0);
  checksum.Field(last_key);
  return checksum.Finish();
}

}  // namespace

std::string EncodeCursor(const ListScope& scope, std::string_view last_key) {
  const auto check = Check(scope, last_key);
  std::string bytes(check.data(), check.size());
  bytes.append(last_key);
  return Base64UrlEncode(bytes);
}

std::optional<std::string> DecodeCursor(const ListScope& scope, std::string_view cursor) {
  const auto bytes = Base64UrlDecode(cursor);
  if (!bytes || bytes->size() <= kCheckBytes) return std::nullopt;
  std::string last_key = bytes->substr(kCheckBytes);
  const auto check = Check(scope, last_key);
  if (bytes->compare(0, kCheckBytes, check.data(), check.size()) != 0) return std::nullopt;
  return last_key;
}

}  // namespace holdfast::api
