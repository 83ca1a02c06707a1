#include "service/backends/redis/entry_record.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "service/backends/redis/redis_options.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr std::size_t kDigits = 16;
constexpr std::size_t kLengthDigits = 8;
// Of content type, metadata and the number of tags together; of a tag.
constexpr std::size_t kAttributeLengths = 8;
constexpr std::size_t kTagLength = 2;
// Of a packed value: the codec's number, the size of the value, its digest.
constexpr std::size_t kSizeDigits = 10;
constexpr std::size_t kDigestBytes = SHA256_DIGEST_LENGTH;

Error Damaged() {
  return {ErrorCode::kCorruption, "a row is none that Holdfast wrote: is the key prefix shared with another program?"};
}

void AppendLength(std::string* out, std::size_t length, int bytes) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>((length >> (8 * i)) & 0xff));
}

// Takes bytes from the front; what is not there is nullopt.
class Cutter {
 public:
  explicit Cutter(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::string_view> Take(std::size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::optional<std::size_t> Length(std::size_t bytes) {
    const auto taken = Take(bytes);
    if (!taken) return std::nullopt;
    std::size_t length = 0;
    for (std::size_t i = bytes; i-- > 0;) length = length << 8 | static_cast<unsigned char>((*taken)[i]);
    return length;
  }
  std::optional<std::string_view> Counted(std::size_t bytes) {
    const auto length = Length(bytes);
    return length ? Take(*length) : std::nullopt;
  }
  std::optional<std::int64_t> Decimal(std::size_t digits) {
    const auto text = Take(digits);
    std::int64_t number = 0;
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size() || number < 0) return std::nullopt;
    return number;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

bool DecodeAttributes(std::string_view bytes, Entry* entry) {
  Cutter cutter(bytes);
  const auto content_type = cutter.Counted(2);
  const auto metadata = cutter.Counted(4);
  const auto tags = cutter.Length(2);
  if (!content_type || !metadata || !tags) return false;
  entry->content_type = *content_type;
  entry->metadata = *metadata;
  for (std::size_t i = 0; i < *tags; ++i) {
    const auto tag = cutter.Counted(2);
    if (!tag) return false;
    entry->tags.emplace_back(*tag);
  }
  return cutter.rest().empty();
}

Timestamp TimeOf(std::int64_t microseconds) {
  return Timestamp{std::chrono::microseconds{microseconds}};
}

struct Parts {
  std::shared_ptr<Entry> entry;  // without its value
  bool packed = false;
  std::string_view value;  // as it stands in the record
};

Result<Parts> Take(std::string_view record) {
  Cutter cutter(record);
  const auto format = cutter.Take(1);
  if (!format || (format->front() != kPlainRecord && format->front() != kPackedRecord)) return Damaged();
  const auto version = cutter.Decimal(kDigits);
  const auto created_at = cutter.Decimal(kDigits);
  const auto updated_at = cutter.Decimal(kDigits);
  const auto expires_at = cutter.Decimal(kDigits);
  const auto length = cutter.Decimal(kLengthDigits);
  if (!version || !created_at || !updated_at || !expires_at || !length) return Damaged();
  const auto attributes = cutter.Take(static_cast<std::size_t>(*length));
  auto entry = std::make_shared<Entry>();
  if (!attributes || !DecodeAttributes(*attributes, entry.get())) return Damaged();
  entry->version = static_cast<Version>(*version);
  entry->created_at = TimeOf(*created_at);
  entry->updated_at = TimeOf(*updated_at);
  if (*expires_at != 0) entry->expires_at = TimeOf(*expires_at);
  return Parts{std::move(entry), format->front() == kPackedRecord, cutter.rest()};
}

Result<std::string> Unpack(std::string_view packed) {
  Cutter cutter(packed);
  const auto codec = cutter.Decimal(1);
  const auto size = cutter.Decimal(kSizeDigits);
  if (!codec || !size || !cutter.Take(kDigestBytes)) return Damaged();
  return compression::Decompress(static_cast<compression::Codec>(*codec), cutter.rest(),
                                 static_cast<std::size_t>(*size), kMaxRedisValueBytes);
}

void AppendDigest(std::string* out, std::string_view value) {
  std::array<unsigned char, kDigestBytes> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(value.data()), value.size(), digest.data());
  out->append(digest.begin(), digest.end());
}

}  // namespace

std::string Digits(std::int64_t number) {
  return fmt::format("{:016}", std::clamp<std::int64_t>(number, 1, kLargestNumber));
}

std::string VersionDigits(Version version) {
  if (version > static_cast<Version>(kLargestNumber)) version = 0;  // which no entry has
  return fmt::format("{:016}", version);
}

Timestamp Storable(Timestamp at) {
  return TimeOf(std::clamp<std::int64_t>(at.time_since_epoch().count(), 1, kLargestNumber));
}

std::string EncodeAttributes(std::string_view content_type, std::string_view metadata,
                             const std::vector<std::string>& tags, std::size_t room) {
  std::size_t size = kLengthDigits + kAttributeLengths + content_type.size() + metadata.size() + room;
  for (const std::string& tag : tags) size += kTagLength + tag.size();
  std::string out;
  out.reserve(size);
  out.assign(kLengthDigits, '0');
  AppendLength(&out, content_type.size(), 2);
  out.append(content_type);
  AppendLength(&out, metadata.size(), 4);
  out.append(metadata);
  AppendLength(&out, tags.size(), 2);
  for (const std::string& tag : tags) {
    AppendLength(&out, tag.size(), 2);
    out.append(tag);
  }
  const fmt::format_int length(out.size() - kLengthDigits);
  out.replace(kLengthDigits - length.size(), length.size(), length.data(), length.size());
  return out;
}

std::optional<std::string> PackValue(std::string_view value, const compression::Options& options) {
  if (value.size() < kLeastPacked) return std::nullopt;
  const std::optional<std::string> compressed = compression::Compress(options, value);
  if (!compressed) return std::nullopt;
  std::string packed = fmt::format("{:d}{:010}", static_cast<int>(options.codec), value.size());
  packed.reserve(packed.size() + kDigestBytes + compressed->size());
  AppendDigest(&packed, value);
  packed.append(*compressed);
  // A short value with its digest may come out longer.
  return packed.size() < value.size() ? std::optional(std::move(packed)) : std::nullopt;
}

std::string Comparable(std::string_view value) {
  std::string comparable;
  comparable.reserve(kDigestBytes + value.size());
  AppendDigest(&comparable, value);
  return comparable.append(value);
}

Result<EntryPtr> DecodeRecord(std::string_view record) {
  HOLDFAST_ASSIGN_OR_RETURN(const Parts parts, Take(record));
  if (parts.packed) {
    HOLDFAST_ASSIGN_OR_RETURN(parts.entry->value, Unpack(parts.value));
  } else {
    parts.entry->value = parts.value;
  }
  return EntryPtr(parts.entry);
}

Result<EntryPtr> DecodeWithoutValue(std::string_view beginning) {
  HOLDFAST_ASSIGN_OR_RETURN(const Parts parts, Take(beginning));
  return EntryPtr(parts.entry);
}

}  // namespace holdfast::storage::redis_backend
