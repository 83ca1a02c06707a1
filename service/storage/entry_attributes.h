// What entries are made of in the formats that this program writes to disk: numbers, texts and everything of an entry
// but its value. Pure functions over bytes.
//
//   integers little-endian; a varint is LEB128, at most 5 bytes and no longer than it has to be; a text is a varint and
//   so many bytes; times are signed microseconds since 1970-01-01 UTC
//   flags (1 byte) · version (8) · created at (8) · updated at (8) · then, each if its flag is set: expires at (8),
//   content type (text), metadata (text), tags (varint, so many texts)
//
// An optional field is there only when it is not empty, so an entry has one spelling.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::storage {

// What limits.value may be at most. What claims a larger value on disk is damaged; a limit that was lowered since is no
// reason not to read what was stored before.
inline constexpr std::size_t kLargestValueBytes = std::size_t{1} << 30;
// Flags, version and the two times.
inline constexpr std::size_t kFixedAttributes = 1 + 3 * 8;

// Flags; any other bit was not written here.
inline constexpr std::uint8_t kHasExpiry = 1 << 0;
inline constexpr std::uint8_t kHasContentType = 1 << 1;
inline constexpr std::uint8_t kHasMetadata = 1 << 2;
inline constexpr std::uint8_t kHasTags = 1 << 3;

inline std::uint64_t MicrosOf(Timestamp time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
inline Timestamp TimeOfMicros(std::uint64_t micros) {
  return Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(micros)}};
}

// Little-endian.
template <typename Number>
std::array<char, sizeof(Number)> Fixed(Number number) {
  std::array<char, sizeof(Number)> bytes{};
  for (std::size_t i = 0; i < sizeof(Number); ++i) bytes[i] = static_cast<char>((number >> (8 * i)) & 0xff);
  return bytes;
}

// `Buffer`: std::string, or whatever else has its append(begin, end) and push_back.
template <typename Number, typename Buffer>
void AppendFixed(Buffer& out, Number number) {
  const auto bytes = Fixed(number);
  out.append(bytes.data(), bytes.data() + bytes.size());
}

template <typename Buffer>
void AppendVarint(Buffer& out, std::uint32_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

template <typename Buffer>
void AppendText(Buffer& out, std::string_view text) {
  AppendVarint(out, static_cast<std::uint32_t>(text.size()));
  out.append(text.data(), text.data() + text.size());
}

template <typename Buffer>
void AppendAttributes(Buffer& out, const Entry& entry) {
  std::uint8_t flags = 0;
  if (entry.expires_at) flags |= kHasExpiry;
  if (!entry.content_type.empty()) flags |= kHasContentType;
  if (!entry.metadata.empty()) flags |= kHasMetadata;
  if (!entry.tags.empty()) flags |= kHasTags;
  out.push_back(static_cast<char>(flags));
  AppendFixed(out, entry.version);
  AppendFixed(out, MicrosOf(entry.created_at));
  AppendFixed(out, MicrosOf(entry.updated_at));
  if (entry.expires_at) AppendFixed(out, MicrosOf(*entry.expires_at));
  if (!entry.content_type.empty()) AppendText(out, entry.content_type);
  if (!entry.metadata.empty()) AppendText(out, entry.metadata);
  if (entry.tags.empty()) return;
  AppendVarint(out, static_cast<std::uint32_t>(entry.tags.size()));
  for (const std::string& tag : entry.tags) AppendText(out, tag);
}

// Reads from the front of bytes; a read past the end gives zeros and is remembered. Not thread-safe.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  // Views into the bytes.
  std::string_view Bytes(std::size_t size);
  std::string_view Text() { return Bytes(Varint()); }
  // A field that is only written when it holds something.
  std::string_view NonEmptyText();
  std::uint8_t Byte();
  // Of so many bytes, at most 8.
  std::uint64_t Number(std::size_t size);
  std::uint32_t Varint();

  std::string_view Rest() const { return bytes_; }
  std::size_t remaining() const { return bytes_.size(); }
  bool failed() const { return failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

// Reads what AppendAttributes wrote into the entry, and leaves its value alone. nullptr, or what is wrong with the
// bytes.
const char* ReadAttributes(ByteReader& reader, Entry* entry);
// Likewise, the expiry alone; stops behind it.
const char* ReadExpiry(ByteReader& reader, std::optional<Timestamp>* expires_at);

}  // namespace holdfast::storage
