#include "service/backends/rocksdb/entry_codec.h"

#include <fmt/format.h>

#include "service/backends/rocksdb/crc32c.h"

namespace holdfast::storage {
namespace {

// Flags; a row with any other bit was not written by this format.
constexpr std::uint8_t kHasExpiry = 1 << 0;
constexpr std::uint8_t kHasContentType = 1 << 1;
constexpr std::uint8_t kHasMetadata = 1 << 2;
constexpr std::uint8_t kHasTags = 1 << 3;
constexpr std::uint8_t kKnownFlags = kHasExpiry | kHasContentType | kHasMetadata | kHasTags;

constexpr std::size_t kFixedHead = 2 + 3 * 8;
constexpr std::size_t kChecksumBytes = 4;

using Buffer = decltype(EncodedEntry::head);

// Little-endian.
template <typename Number>
std::array<char, sizeof(Number)> Fixed(Number number) {
  std::array<char, sizeof(Number)> bytes;
  for (std::size_t i = 0; i < sizeof(Number); ++i) bytes[i] = static_cast<char>((number >> (8 * i)) & 0xff);
  return bytes;
}

void AppendFixed64(Buffer& out, std::uint64_t number) {
  out.append(Fixed(number));
}

// LEB128, at most 5 bytes.
void AppendVarint(Buffer& out, std::uint32_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

void AppendText(Buffer& out, std::string_view text) {
  AppendVarint(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

std::uint64_t MicrosOf(Timestamp time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

Timestamp TimeOf(std::uint64_t micros) {
  return Timestamp{std::chrono::microseconds{static_cast<std::int64_t>(micros)}};
}

std::uint32_t Checksum(std::string_view key, std::string_view head, std::string_view value) {
  return Crc32c(value, Crc32c(head, Crc32c(key)));
}

// Reads from the front of bytes; a read past the end gives zeros and is remembered.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view Bytes(std::size_t size) {
    if (size > bytes_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::uint8_t Byte() {
    const std::string_view byte = Bytes(1);
    return byte.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(byte[0]);
  }
  std::uint64_t Fixed(std::size_t size) {
    const std::string_view bytes = Bytes(size);
    std::uint64_t number = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
  }
  std::uint32_t Varint() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
      const std::uint8_t byte = Byte();
      number |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80) != 0) continue;
      // The encoder writes no leading zeros, and nothing that does not fit.
      if ((byte == 0 && shift > 0) || number > UINT32_MAX) break;
      return static_cast<std::uint32_t>(number);
    }
    failed_ = true;
    return 0;
  }
  std::string_view Text() { return Bytes(Varint()); }
  // A field that is only written when it holds something.
  std::string_view NonEmptyText() {
    const std::string_view text = Text();
    if (text.empty()) failed_ = true;
    return text;
  }
  std::string_view Rest() const { return bytes_; }
  std::size_t remaining() const { return bytes_.size(); }
  bool failed() const { return failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the stored entry is damaged ({}): restore it from a backup and check the disk", what)};
}

struct Head {
  bool compressed;
  std::uint8_t flags;
};

Result<Head> ReadHead(Reader& reader) {
  const std::uint8_t format = reader.Byte();
  const std::uint8_t flags = reader.Byte();
  if (reader.failed()) return Damaged("too short");
  if (format != kEntryFormat && format != kCompressedEntryFormat) {
    return Damaged(fmt::format("entry format {} is unknown", format));
  }
  if ((flags & ~kKnownFlags) != 0) return Damaged("unknown flags");
  return Head{format == kCompressedEntryFormat, flags};
}

}  // namespace

EncodedEntry EncodeEntry(std::string_view key, const Entry& entry, const compression::Options& compression) {
  EncodedEntry encoded;
  encoded.compressed = compression::Compress(compression, entry.value);
  Buffer& head = encoded.head;
  std::uint8_t flags = 0;
  if (entry.expires_at) flags |= kHasExpiry;
  if (!entry.content_type.empty()) flags |= kHasContentType;
  if (!entry.metadata.empty()) flags |= kHasMetadata;
  if (!entry.tags.empty()) flags |= kHasTags;
  head.push_back(static_cast<char>(encoded.compressed ? kCompressedEntryFormat : kEntryFormat));
  head.push_back(static_cast<char>(flags));
  AppendFixed64(head, entry.version);
  AppendFixed64(head, MicrosOf(entry.created_at));
  AppendFixed64(head, MicrosOf(entry.updated_at));
  if (entry.expires_at) AppendFixed64(head, MicrosOf(*entry.expires_at));
  if (!entry.content_type.empty()) AppendText(head, entry.content_type);
  if (!entry.metadata.empty()) AppendText(head, entry.metadata);
  if (!entry.tags.empty()) {
    AppendVarint(head, static_cast<std::uint32_t>(entry.tags.size()));
    for (const std::string& tag : entry.tags) AppendText(head, tag);
  }
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
  Reader tail(row.substr(body.size()));
  if (Checksum(key, body, {}) != static_cast<std::uint32_t>(tail.Fixed(kChecksumBytes))) return Damaged("checksum");

  Reader reader(body);
  HOLDFAST_ASSIGN_OR_RETURN(const Head head, ReadHead(reader));
  auto entry = std::make_shared<Entry>();
  entry->version = reader.Fixed(8);
  entry->created_at = TimeOf(reader.Fixed(8));
  entry->updated_at = TimeOf(reader.Fixed(8));
  if ((head.flags & kHasExpiry) != 0) entry->expires_at = TimeOf(reader.Fixed(8));
  if ((head.flags & kHasContentType) != 0) entry->content_type = reader.NonEmptyText();
  if ((head.flags & kHasMetadata) != 0) entry->metadata = reader.NonEmptyText();
  if ((head.flags & kHasTags) != 0) {
    const std::uint32_t tags = reader.Varint();
    if (tags == 0) return Damaged("a length is wrong");
    for (std::uint32_t i = 0; i < tags && !reader.failed(); ++i) entry->tags.emplace_back(reader.Text());
  }
  const auto codec = static_cast<compression::Codec>(head.compressed ? reader.Byte() : std::uint8_t{0});
  const std::size_t claimed = head.compressed ? reader.Varint() : 0;
  if (reader.failed()) return Damaged("a length is wrong");
  DecodedEntry decoded;
  decoded.value_bytes = head.compressed ? claimed : reader.remaining();
  if (what == Decode::kAll && head.compressed) {
    HOLDFAST_ASSIGN_OR_RETURN(entry->value, compression::Decompress(codec, reader.Rest(), claimed, kLargestValueBytes));
  } else if (what == Decode::kAll) {
    entry->value = reader.Rest();
  }
  decoded.entry = std::move(entry);
  return decoded;
}

Result<std::optional<Timestamp>> DecodeExpiry(std::string_view row) {
  Reader reader(row);
  HOLDFAST_ASSIGN_OR_RETURN(const Head head, ReadHead(reader));
  reader.Bytes(kFixedHead - 2);
  std::optional<Timestamp> expires_at;
  if ((head.flags & kHasExpiry) != 0) expires_at = TimeOf(reader.Fixed(8));
  if (reader.failed() || reader.remaining() < kChecksumBytes) return Damaged("too short");
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
  return ExpiryRowParts{TimeOf(sortable ^ (std::uint64_t{1} << 63)), row.substr(8)};
}

std::string EncodeNumber(std::uint64_t number) {
  const std::array<char, 8> bytes = Fixed(number);
  return {bytes.data(), bytes.size()};
}

std::optional<std::uint64_t> DecodeNumber(std::string_view bytes) {
  if (bytes.size() != 8) return std::nullopt;
  return Reader(bytes).Fixed(8);
}

}  // namespace holdfast::storage
