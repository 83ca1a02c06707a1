// How an entry is laid out on disk; docs/formats/rocksdb-entry.md is the published description and a golden
// test holds the two together. Pure functions over bytes.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/compression/codec.h"
#include "service/storage/entry_attributes.h"
#include "service/storage/types.h"

namespace holdfast::storage {

inline constexpr std::uint8_t kEntryFormat = 1;
// The same, and the value is compressed.
inline constexpr std::uint8_t kCompressedEntryFormat = 2;
// The row of an entry is head + the value + tail; in parts, so that a large value is not copied once more. The value is
// `compressed`, or the entry's own.
struct EncodedEntry {
  fmt::basic_memory_buffer<char, 128> head;  // allocates for long metadata and tags only
  std::optional<std::string> compressed;
  std::array<char, 4> tail{};

  std::string_view Head() const { return {head.data(), head.size()}; }
  std::string_view Value(const Entry& entry) const { return compressed ? *compressed : std::string_view(entry.value); }
  std::string_view Tail() const { return {tail.data(), tail.size()}; }
};
EncodedEntry EncodeEntry(std::string_view key, const Entry& entry, const compression::Options& compression = {});

// kCorruption unless the row is exactly what EncodeEntry made for this key. Allocates what the row really holds, at
// most kLargestValueBytes.
enum class Decode { kAll, kWithoutValue };
struct DecodedEntry {
  EntryPtr entry;
  std::size_t value_bytes = 0;
};
Result<DecodedEntry> DecodeEntry(std::string_view key, std::string_view row, Decode what = Decode::kAll);

// Only the expiry, without verifying the checksum: for counting, where the store's own block checksums have to do.
// kCorruption when the row is too short or of another format.
Result<std::optional<Timestamp>> DecodeExpiry(std::string_view row);

// A row key of the expiry index: sorts by time, then by key.
std::string ExpiryRow(Timestamp expires_at, std::string_view key);
// The least row key of this instant.
std::string ExpiryBound(Timestamp expires_at);
struct ExpiryRowParts {
  Timestamp expires_at;
  std::string_view key;  // points into the row
};
// nullopt when it is no row of the index.
std::optional<ExpiryRowParts> ParseExpiryRow(std::string_view row);

// Numbers kept in rows of their own, such as the version bound: 8 bytes, little-endian.
std::string EncodeNumber(std::uint64_t number);
std::optional<std::uint64_t> DecodeNumber(std::string_view bytes);

}  // namespace holdfast::storage
