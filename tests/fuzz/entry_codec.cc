// Rows of the RocksDB backend. Any bytes decode or are refused, without a read past them; a row with a sound checksum
// decodes only if it is what the encoder writes; what the encoder writes decodes to the same entry.
#include "service/backends/rocksdb/entry_codec.h"

#include <string>

#include "service/storage/crc32c.h"
#include "tests/fuzz/input.h"

namespace holdfast::storage {
namespace {

using fuzz::Check;

std::string Row(std::string_view key, const Entry& entry) {
  const EncodedEntry encoded = EncodeEntry(key, entry);
  return std::string(encoded.Head()).append(entry.value).append(encoded.Tail());
}

bool Same(const Entry& a, const Entry& b) {
  return a.value == b.value && a.version == b.version && a.created_at == b.created_at && a.updated_at == b.updated_at &&
         a.expires_at == b.expires_at && a.content_type == b.content_type && a.metadata == b.metadata &&
         a.tags == b.tags;
}

void CheckAnyRow(std::string_view key, std::string_view row) {
  const auto decoded = DecodeEntry(key, row);
  // A compressor of another version may spell a compressed value otherwise: those need not be the same bytes.
  const bool compressed = !row.empty() && static_cast<std::uint8_t>(row[0]) == kCompressedEntryFormat;
  if (decoded.ok() && !compressed) {
    Check(Row(key, *decoded->entry) == row, "a row that decodes is the one the encoder writes");
  }
  const auto expiry = DecodeExpiry(row);
  if (decoded.ok()) Check(expiry.ok() && *expiry == decoded->entry->expires_at, "both readings of the expiry agree");
  if (const auto parts = ParseExpiryRow(row)) {
    Check(ExpiryRow(parts->expires_at, parts->key) == row, "an expiry row comes back");
  }
  if (const auto number = DecodeNumber(row)) Check(EncodeNumber(*number) == row, "a number comes back");
}

Timestamp TimeOf(std::uint64_t micros) {
  return Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(micros)}};
}

void CheckEntry(fuzz::Input input) {
  Entry entry;
  const std::uint8_t shape = input.Byte();
  entry.version = input.Number();
  entry.created_at = TimeOf(input.Number());
  entry.updated_at = TimeOf(input.Number());
  if ((shape & 1) != 0) entry.expires_at = TimeOf(input.Number());
  if ((shape & 2) != 0) entry.content_type = input.Line();
  if ((shape & 4) != 0) entry.metadata = input.Line();
  for (int tags = shape >> 4; tags > 0; --tags) entry.tags.emplace_back(input.Line());
  const std::string key(input.Line());
  entry.value = input.Rest();

  const std::string row = Row(key, entry);
  const auto all = DecodeEntry(key, row);
  Check(all.ok() && Same(*all->entry, entry), "what was encoded comes back");
  const auto head = DecodeEntry(key, row, Decode::kWithoutValue);
  Check(head.ok() && head->value_bytes == entry.value.size() && head->entry->value.empty(), "the same without a value");
  Check(!DecodeEntry(key + "x", row).ok(), "a row belongs to its key");
  std::string damaged = row;
  damaged[shape % damaged.size()] = static_cast<char>(damaged[shape % damaged.size()] ^ (1 << (shape % 8)));
  Check(!DecodeEntry(key, damaged).ok(), "one turned bit is found");
}

}  // namespace
}  // namespace holdfast::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::storage;
  holdfast::fuzz::Input input(data, size);
  CheckEntry(input);
  const std::string_view key = input.Line();
  CheckAnyRow(key, input.Rest());
  // A checksum that fits, which no fuzzer finds: what a faulty writer might leave.
  std::string row(input.Rest());
  const std::uint32_t checksum = Crc32c(row, Crc32c(key));
  for (int shift = 0; shift < 32; shift += 8) row.push_back(static_cast<char>((checksum >> shift) & 0xff));
  row.shrink_to_fit();
  CheckAnyRow(key, row);
  return 0;
}
