// PostgreSQL's binary array parameters (array_recv of the server's arrayfuncs.c: dimensions, null flag, element type,
// then length and bytes of each element, all big-endian), and bytea as it stands in results, which are text: \x hex.
// Bytes go in and come out unchanged, and never become part of a statement.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::storage::postgres {

// One-dimensional; nulls at the end are left out, because unnest fills up what is shorter.
class ArrayParameter {
 public:
  enum class Type : std::uint32_t {
    kBoolean = 16,
    kBytea = 17,
    kBigint = 20,
    kSmallint = 21,
    kInteger = 23,
    kText = 25
  };

  explicit ArrayParameter(Type type);
  void AddNull();
  void AddBytes(std::string_view bytes);
  void AddBoolean(bool value);
  void AddSmallint(std::int16_t value);
  void AddInteger(std::int32_t value);
  void AddBigint(std::int64_t value);
  void AddBigint(const std::optional<std::int64_t>& value);
  // The parameter's bytes; valid until the next call of anything.
  const std::string& Encoded();

 private:
  void AddLength(std::uint32_t length);

  std::string bytes_;
  std::uint32_t elements_ = 0;  // in bytes_
  std::uint32_t nulls_ = 0;     // at the end, not in bytes_ yet
  bool holds_nulls_ = false;
};

// "\x6162" → "ab"; nullopt when it is not hex.
std::optional<std::string> DecodeBytea(std::string_view text);
// {"\\x6162","\\x"} → ab and ""; nullopt when it is not such a list.
std::optional<std::vector<std::string>> DecodeByteaList(std::string_view text);
// The way back, as a text that is cast to bytea[].
std::string EncodeByteaList(const std::vector<std::string>& elements);

}  // namespace holdfast::storage::postgres
