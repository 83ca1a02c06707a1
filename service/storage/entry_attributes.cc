#include "service/storage/entry_attributes.h"

namespace holdfast::storage {
namespace {

constexpr std::uint8_t kKnownFlags = kHasExpiry | kHasContentType | kHasMetadata | kHasTags;
constexpr char kWrongLength[] = "a length is wrong";
constexpr char kUnknownFlags[] = "unknown flags";

}  // namespace

std::string_view ByteReader::Bytes(std::size_t size) {
  if (size > bytes_.size()) {
    failed_ = true;
    return {};
  }
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return taken;
}

std::string_view ByteReader::NonEmptyText() {
  const std::string_view text = Text();
  if (text.empty()) failed_ = true;
  return text;
}

std::uint8_t ByteReader::Byte() {
  const std::string_view byte = Bytes(1);
  return byte.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(byte[0]);
}

std::uint64_t ByteReader::Number(std::size_t size) {
  const std::string_view bytes = Bytes(size);
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::uint32_t ByteReader::Varint() {
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

const char* ReadAttributes(ByteReader& reader, Entry* entry) {
  const std::uint8_t flags = reader.Byte();
  if ((flags & ~kKnownFlags) != 0) return kUnknownFlags;
  entry->version = reader.Number(8);
  entry->created_at = TimeOfMicros(reader.Number(8));
  entry->updated_at = TimeOfMicros(reader.Number(8));
  if ((flags & kHasExpiry) != 0) entry->expires_at = TimeOfMicros(reader.Number(8));
  if ((flags & kHasContentType) != 0) entry->content_type = reader.NonEmptyText();
  if ((flags & kHasMetadata) != 0) entry->metadata = reader.NonEmptyText();
  if ((flags & kHasTags) != 0) {
    const std::uint32_t tags = reader.Varint();
    if (tags == 0) return kWrongLength;
    for (std::uint32_t i = 0; i < tags && !reader.failed(); ++i) entry->tags.emplace_back(reader.Text());
  }
  return reader.failed() ? kWrongLength : nullptr;
}

const char* ReadExpiry(ByteReader& reader, std::optional<Timestamp>* expires_at) {
  const std::uint8_t flags = reader.Byte();
  if ((flags & ~kKnownFlags) != 0) return kUnknownFlags;
  reader.Bytes(kFixedAttributes - 1);
  if ((flags & kHasExpiry) != 0) *expires_at = TimeOfMicros(reader.Number(8));
  return reader.failed() ? "too short" : nullptr;
}

}  // namespace holdfast::storage
