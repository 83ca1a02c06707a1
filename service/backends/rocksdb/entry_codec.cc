#include "service/backends/rocksdb/entry_codec.h"

#include <fmt/format.h>

#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kFixedHead = 1 + kFixedAttributes;
constexpr std::size_t kChecksumBytes = 4;

std::uint32_t Checksum(std::string_view key, std::string_view head, std::string_view value) {
  return Crc32c(value, Crc32c(head, Crc32c(key)));
}

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the stored entry is damaged ({}): restore it from a backup and check the disk", what)};
}

// The entry format; true = compressed.
Result<bool> ReadFormat(ByteReader& reader) {
  const std::uint8_t format = reader.Byte();
  if (reader.failed()) return Damaged("too short");
  if (format != kEntryFormat && format != kCompressedEntryFormat) {
    return Damaged(fmt::format("entry format {} is unknown", format));
  }
  return format == kCompressedEntryFormat;
}

}  // namespace

EncodedEntry EncodeEntry(std::string_view key, const Entry& entry, const compression::Options& compression) {
  EncodedEntry encoded;
  encoded.compressed = compression::Compress(compression, entry.value);
  auto& head = encoded.head;
  head.push_back(static_cast<char>(encoded.compressed ? kCompressedEntryFormat : kEntryFormat));
  AppendAttributes(head, entry);
  if (encoded.compressed) {
    head.push_back(static_cast<char>(compression.codec));
    AppendVarint(head, static_cast<std::uint32_t>(entry.value.size()));
  }
  encoded.tail = Fixed(Checksum(key, encoded.Head(), encoded.Value(entry)));
  return encoded;
}

Result<DecodedEntry> DecodeEntry(std::string_view key, std::string_view row, Decode what) {
  if (row.size() < kFixedHead + kChecksumBytes) return Damaged("too short");
  const std::string_view body = row.substr(0, row.size() - kChecksumBytes);
  ByteReader tail(row.substr(body.size()));
  if (Checksum(key, body, {}) != static_cast<std::uint32_t>(tail.Number(kChecksumBytes))) return Damaged("checksum");

  ByteReader reader(body);
  HOLDFAST_ASSIGN_OR_RETURN(const bool compressed, ReadFormat(reader));
  auto entry = std::make_shared<Entry>();
  if (const char* const wrong = ReadAttributes(reader, entry.get())) return Damaged(wrong);
  const auto codec = static_cast<compression::Codec>(compressed ? reader.Byte() : std::uint8_t{0});
  const std::size_t claimed = compressed ? reader.Varint() : 0;
  if (reader.failed()) return Damaged("a length is wrong");
  DecodedEntry decoded;
  decoded.value_bytes = compressed ? claimed : reader.remaining();
  if (what == Decode::kAll && compressed) {
    HOLDFAST_ASSIGN_OR_RETURN(entry->value, compression::Decompress(codec, reader.Rest(), claimed, kLargestValueBytes));
  } else if (what == Decode::kAll) {
    entry->value = reader.Rest();
  }
  decoded.entry = std::move(entry);
  return decoded;
}

Result<std::optional<Timestamp>> DecodeExpiry(std::string_view row) {
  ByteReader reader(row);
  HOLDFAST_RETURN_IF_ERROR(ReadFormat(reader));
  std::optional<Timestamp> expires_at;
  if (const char* const wrong = ReadExpiry(reader, &expires_at)) return Damaged(wrong);
  if (reader.remaining() < kChecksumBytes) return Damaged("too short");
  return expires_at;
}

std::string ExpiryBound(Timestamp expires_at) {
  // Big-endian with the sign bit turned, so that bytes sort as times do, those before 1970 included.
  const std::uint64_t sortable = MicrosOf(expires_at) ^ (std::uint64_t{1} << 63);
  std::string row;
  for (int shift = 56; shift >= 0; shift -= 8) row.push_back(static_cast<char>((sortable >> shift) & 0xff));
  return row;
}

std::string ExpiryRow(Timestamp expires_at, std::string_view key) {
  std::string row = ExpiryBound(expires_at);
  row.append(key);
  return row;
}

std::optional<ExpiryRowParts> ParseExpiryRow(std::string_view row) {
  if (row.size() <= 8) return std::nullopt;
  std::uint64_t sortable = 0;
  for (int i = 0; i < 8; ++i) sortable = sortable << 8 | static_cast<unsigned char>(row[static_cast<std::size_t>(i)]);
  return ExpiryRowParts{TimeOfMicros(sortable ^ (std::uint64_t{1} << 63)), row.substr(8)};
}

std::string EncodeNumber(std::uint64_t number) {
  const std::array<char, 8> bytes = Fixed(number);
  return {bytes.data(), bytes.size()};
}

std::optional<std::uint64_t> DecodeNumber(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return ByteReader(bytes).Number(8);
}

}  // namespace holdfast::storage
