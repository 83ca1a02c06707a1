#include "service/backup/change_segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "service/durability/checkpoint_format.h"
#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"

namespace holdfast::backup {
namespace {

using durability::Digest;
using storage::AppendFixed;
using storage::AppendText;
using storage::ByteReader;
using storage::KeyChange;
using storage::MicrosOf;
using storage::TimeOfMicros;

constexpr std::string_view kMagic("\x89HFCL\r\n\x1a", 8);
constexpr std::size_t kFormatBytes = 4;
constexpr std::size_t kNumberDigits = 12;
// Of the cipher: the salt is another one for each segment, and so is the key.
constexpr std::uint64_t kOnlyNumber = 1;

enum class Sealing : std::uint8_t { kNone = 0, kAes256Gcm = 1 };
enum class ChangeKind : std::uint8_t { kDeleted = 0, kEntry = 1 };

void AppendDigest(std::string* out, const Digest& digest) {
  out->append(digest.data(), digest.size());
}

Digest ReadDigest(ByteReader& reader) {
  Digest digest{};
  const std::string_view bytes = reader.Bytes(digest.size());
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

std::string EncodeFields(const SegmentHeader& header, std::uint64_t changes, std::uint32_t blocks) {
  std::string fields;
  AppendFixed(fields, header.number);
  AppendDigest(&fields, header.previous);
  for (const std::uint64_t number : {header.since, MicrosOf(header.from), MicrosOf(header.until), changes}) {
    AppendFixed(fields, number);
  }
  AppendFixed(fields, blocks);
  for (const std::string& text : {header.store, header.backend, header.position, header.gap}) AppendText(fields, text);
  return fields;
}

// What is compressed and sealed: the header, and blocks as in a checkpoint.
std::string EncodeBody(const SegmentHeader& header, const std::vector<KeyChange>& changes, int level) {
  std::string blocks;
  std::uint32_t count = 0;
  std::string block;
  std::uint32_t in_block = 0;
  const auto end_block = [&] {
    if (in_block == 0) return;
    blocks += durability::EncodeBlock(block, in_block, level);
    block.clear();
    in_block = 0;
    ++count;
  };
  for (const KeyChange& change : changes) {
    const std::size_t before = block.size();
    AppendText(block, change.key);
    AppendFixed(block, MicrosOf(change.at));
    block.push_back(static_cast<char>(change.entry ? ChangeKind::kEntry : ChangeKind::kDeleted));
    if (change.entry) {
      storage::AppendAttributes(block, *change.entry);
      AppendText(block, change.entry->value);
    }
    ++in_block;
    if (block.size() <= durability::kBlockBytes) continue;
    // One beyond the size has a block of its own.
    if (before == 0) {
      end_block();
      continue;
    }
    std::string last = block.substr(before);
    block.resize(before);
    --in_block;
    end_block();
    block = std::move(last);
    in_block = 1;
  }
  end_block();
  const std::string fields = EncodeFields(header, changes.size(), count);
  std::string body;
  AppendFixed(body, static_cast<std::uint32_t>(fields.size()));
  body += fields;
  AppendFixed(body, storage::Crc32c(body));
  return body + blocks;
}

Status DecodeChanges(std::string_view block, std::vector<KeyChange>* changes) {
  auto unpacked = durability::UnpackBlock(block);
  if (!unpacked.ok()) return DamagedLog("a block");
  ByteReader reader(unpacked->entries);
  for (std::uint32_t i = 0; i < unpacked->count; ++i) {
    KeyChange change;
    change.key = reader.NonEmptyText();
    change.at = TimeOfMicros(reader.Number(sizeof(std::uint64_t)));
    const std::uint8_t kind = reader.Byte();
    if (kind == static_cast<std::uint8_t>(ChangeKind::kEntry)) {
      auto entry = std::make_shared<storage::Entry>();
      if (storage::ReadAttributes(reader, entry.get()) != nullptr) return DamagedLog("a change");
      entry->value = reader.Text();
      change.entry = std::move(entry);
    } else if (kind != static_cast<std::uint8_t>(ChangeKind::kDeleted)) {
      return DamagedLog("a change");
    }
    if (reader.failed()) return DamagedLog("a change");
    changes->push_back(std::move(change));
  }
  return reader.remaining() == 0 ? Status() : Status(DamagedLog("length of a block"));
}

Status DecodeBody(std::string_view body, Segment* segment) {
  ByteReader frame(body);
  const auto length = static_cast<std::size_t>(frame.Number(sizeof(std::uint32_t)));
  const std::string_view fields = frame.Bytes(length);
  const auto checksum = static_cast<std::uint32_t>(frame.Number(sizeof(std::uint32_t)));
  if (frame.failed() || checksum != storage::Crc32c(body.substr(0, sizeof(std::uint32_t) + length))) {
    return DamagedLog("checksum of a header");
  }
  ByteReader reader(fields);
  SegmentHeader& header = segment->header;
  header.number = reader.Number(sizeof(std::uint64_t));
  header.previous = ReadDigest(reader);
  header.since = reader.Number(sizeof(std::uint64_t));
  header.from = TimeOfMicros(reader.Number(sizeof(std::uint64_t)));
  header.until = TimeOfMicros(reader.Number(sizeof(std::uint64_t)));
  header.changes = reader.Number(sizeof(std::uint64_t));
  const auto blocks = static_cast<std::uint32_t>(reader.Number(sizeof(std::uint32_t)));
  for (std::string* text : {&header.store, &header.backend, &header.position, &header.gap}) *text = reader.Text();
  const bool sound = header.since >= 1 && header.since <= header.number && header.from <= header.until &&
                     (header.gap.empty() || (header.changes == 0 && header.since == header.number));
  if (reader.failed() || reader.remaining() != 0 || !sound) return DamagedLog("fields of a header");

  std::string_view rest = frame.Rest();
  for (std::uint32_t i = 0; i < blocks; ++i) {
    if (rest.size() < durability::kBlockFrameBytes) return DamagedLog("length of a segment");
    const auto block = durability::DecodeBlockFrame(rest.substr(0, durability::kBlockFrameBytes));
    if (!block.ok()) return DamagedLog("a block");
    const std::size_t bytes = durability::kBlockFrameBytes + block->stored_bytes + durability::kChecksumBytes;
    if (rest.size() < bytes) return DamagedLog("length of a segment");
    HOLDFAST_RETURN_IF_ERROR(DecodeChanges(rest.substr(0, bytes), &segment->changes));
    rest.remove_prefix(bytes);
  }
  if (!rest.empty() || segment->changes.size() != header.changes) return DamagedLog("length of a segment");
  Timestamp newest = header.from;
  for (const KeyChange& change : segment->changes) {
    if (change.at < newest || change.at > header.until) return DamagedLog("the time of a change");
    newest = change.at;
  }
  return {};
}

Result<std::string> Unseal(ByteReader* reader, std::uint64_t number, const SegmentKey& key) {
  const std::uint8_t sealing = reader->Byte();
  if (sealing == static_cast<std::uint8_t>(Sealing::kNone)) {
    if (!key.key) return std::string(reader->Rest());
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("segment {} of the change log is not encrypted, and {} says that all are: somebody may have "
                    "put it there; take the setting out if it is yours",
                    number, key.setting));
  }
  if (sealing != static_cast<std::uint8_t>(Sealing::kAes256Gcm)) return DamagedLog("encryption of a segment");
  const std::string_view salt = reader->Bytes(kSaltBytes);
  const std::string_view check = reader->Bytes(kKeyCheckBytes);
  if (reader->failed()) return DamagedLog("length of a segment");
  const auto cipher = key.key ? std::optional<ObjectCipher>(std::in_place, *key.key, salt, key.folder) : std::nullopt;
  if (!cipher || cipher->key_check() != check) {
    return Error(
        ErrorCode::kFailedPrecondition,
        fmt::format("segment {} of the change log is encrypted with another key than that of {}", number, key.setting));
  }
  auto plain = cipher->Open(kOnlyNumber, SegmentName(number), reader->Rest());
  if (!plain.ok()) return DamagedLog("encryption of a segment");
  return plain;
}

}  // namespace

Error DamagedLog(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the change log is damaged ({}): restore a backup without a time, or to a time before or behind "
                      "it, and look after the target it lies on",
                      what)};
}

std::string SegmentName(std::uint64_t number) {
  return fmt::format("{:0{}}", number, kNumberDigits);
}

std::optional<std::uint64_t> SegmentNumber(std::string_view object) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(object.data(), object.data() + object.size(), number);
  const bool whole = error == std::errc() && end == object.data() + object.size() && number > 0;
  return whole && SegmentName(number) == object ? std::optional(number) : std::nullopt;
}

Digest DigestOf(std::string_view bytes) {
  durability::Sha256Stream stream;
  stream.Add(bytes);
  return stream.Finish();
}

std::string EncodeSegment(const SegmentHeader& header, const std::vector<KeyChange>& changes, const SegmentKey& key,
                          int level, std::string_view salt) {
  std::string bytes(kMagic);
  AppendFixed(bytes, kChangeSegmentFormat);
  const std::string body = EncodeBody(header, changes, level);
  if (key.key) {
    const ObjectCipher cipher(*key.key, salt, key.folder);
    bytes.push_back(static_cast<char>(Sealing::kAes256Gcm));
    bytes += salt;
    bytes += cipher.key_check();
    bytes += cipher.Seal(kOnlyNumber, SegmentName(header.number), body);
  } else {
    bytes.push_back(static_cast<char>(Sealing::kNone));
    bytes += body;
  }
  AppendDigest(&bytes, DigestOf(bytes));
  return bytes;
}

Result<Segment> DecodeSegment(std::string_view bytes, std::uint64_t number, const SegmentKey& key) {
  Segment segment;
  if (bytes.size() < kMagic.size() + kFormatBytes + segment.digest.size() || !bytes.starts_with(kMagic)) {
    return DamagedLog("beginning of a segment");
  }
  const std::string_view signed_bytes = bytes.substr(0, bytes.size() - segment.digest.size());
  segment.digest = DigestOf(signed_bytes);
  if (!std::equal(segment.digest.begin(), segment.digest.end(), bytes.data() + signed_bytes.size())) {
    return DamagedLog("SHA-256 of a segment");
  }
  ByteReader reader(signed_bytes.substr(kMagic.size()));
  const auto format = static_cast<std::uint32_t>(reader.Number(kFormatBytes));
  if (format != kChangeSegmentFormat) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("segment {} of the change log has format {}, and this program reads format {}: use the "
                             "release that made it",
                             number, format, kChangeSegmentFormat));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::string body, Unseal(&reader, number, key));
  HOLDFAST_RETURN_IF_ERROR(DecodeBody(body, &segment));
  if (segment.header.number != number) return DamagedLog("a segment lies under another one's name");
  return segment;
}

}  // namespace holdfast::backup
