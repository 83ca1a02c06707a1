#include "service/durability/checkpoint_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/compression/codec.h"
#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"

namespace holdfast::durability {
namespace {

using storage::AppendFixed;
using storage::AppendText;
using storage::ByteReader;
using storage::Entry;

// A byte that is no text, so that it is taken for none, and line ends that show a copy made as text.
constexpr std::string_view kMagic = "\x89HFCK\r\n\x1a";

void AppendChecksum(std::string* bytes) {
  AppendFixed(*bytes, storage::Crc32c(*bytes));
}

// The bytes before the checksum at the end; nullopt when it is not theirs.
std::optional<std::string_view> WithoutChecksum(std::string_view bytes) {
  if (bytes.size() < kChecksumBytes) return std::nullopt;
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  ByteReader tail(bytes.substr(body.size()));
  if (storage::Crc32c(body) != tail.Number(kChecksumBytes)) return std::nullopt;
  return body;
}

}  // namespace

std::string_view ReasonName(CheckpointReason reason) {
  switch (reason) {
    case CheckpointReason::kPeriodic:
      return "periodic";
    case CheckpointReason::kShutdown:
      return "shutdown";
    case CheckpointReason::kUndo:
      return "undo";
    case CheckpointReason::kRequested:
      break;
  }
  return "requested";
}

Error Damaged(std::string_view what) {
  return {ErrorCode::kCorruption,
          fmt::format("the checkpoint is damaged ({}): take another one, and check the disk it lies on", what)};
}

Status CheckKind(const CheckpointHeader& header, CheckpointKind wanted) {
  if (header.kind == wanted) return {};
  constexpr std::string_view kKinds[] = {"a whole checkpoint", "an increment of a backup", "the ranges of a backup"};
  const auto name = [&kKinds](CheckpointKind kind) { return kKinds[static_cast<std::size_t>(kind) - 1]; };
  return Error(ErrorCode::kFailedPrecondition,
               fmt::format("what was read is {}, and it has to be {}: restore the backup that it is of",
                           name(header.kind), name(wanted)));
}

std::string EncodeHeader(const CheckpointHeader& header) {
  std::string body;
  body.push_back(static_cast<char>(header.kind));
  body.push_back(static_cast<char>(header.reason));
  body.push_back(static_cast<char>(header.consistency));
  AppendFixed(body, storage::MicrosOf(header.created_at));
  for (const std::string& text : {header.id, header.store, header.backend}) AppendText(body, text);
  if (header.kind == CheckpointKind::kIncrement) body.append(header.parent.data(), header.parent.size());
  std::string bytes(kMagic);
  AppendFixed(bytes, kCheckpointFormat);
  AppendFixed(bytes, static_cast<std::uint32_t>(body.size()));
  bytes += body;
  AppendChecksum(&bytes);
  return bytes;
}

Result<std::size_t> HeaderBytes(std::string_view frame) {
  ByteReader reader(frame);
  if (reader.Bytes(kMagic.size()) != kMagic) return Damaged("it does not begin as one");
  reader.Number(4);
  const std::size_t body = reader.Number(4);
  const std::size_t bytes = kHeaderFrameBytes + body + kChecksumBytes;
  if (reader.failed() || bytes > kMaxHeaderBytes) return Damaged("length of the header");
  return bytes;
}

Result<CheckpointHeader> DecodeHeader(std::string_view bytes) {
  const auto body = WithoutChecksum(bytes);
  if (!body || body->size() < kHeaderFrameBytes) return Damaged("checksum of the header");
  ByteReader reader(body->substr(kMagic.size()));
  const std::uint64_t format = reader.Number(4);
  if (format != kCheckpointFormat) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("the checkpoint has format {}, and this program reads format {}: use the release that "
                             "wrote it",
                             format, kCheckpointFormat));
  }
  reader.Number(4);
  const std::uint8_t kind = reader.Byte();
  const std::uint8_t reason = reader.Byte();
  const std::uint8_t consistency = reader.Byte();
  CheckpointHeader header;
  header.created_at = storage::TimeOfMicros(reader.Number(8));
  header.id = reader.Text();
  header.store = reader.Text();
  header.backend = reader.Text();
  if (kind == static_cast<std::uint8_t>(CheckpointKind::kIncrement)) {
    const std::string_view parent = reader.Bytes(header.parent.size());
    std::copy(parent.begin(), parent.end(), header.parent.begin());
  }
  const bool known = kind >= 1 && kind <= 3 && reason >= 1 && reason <= 4 && consistency >= 1 && consistency <= 2;
  if (reader.failed() || reader.remaining() != 0 || !known) return Damaged("fields of the header");
  header.kind = static_cast<CheckpointKind>(kind);
  header.reason = static_cast<CheckpointReason>(reason);
  header.consistency = static_cast<storage::SnapshotConsistency>(consistency);
  return header;
}

void AppendEntry(std::string* block, std::string_view key, const Entry& entry) {
  AppendText(*block, key);
  storage::AppendAttributes(*block, entry);
  AppendText(*block, entry.value);
}

std::string EncodeBlock(std::string_view entries, std::uint32_t count, int level) {
  const auto compressed = compression::Compress({compression::Codec::kZstd, level, /*threshold_bytes=*/64}, entries);
  const std::string_view stored = compressed ? *compressed : entries;
  std::string block;
  block.reserve(kBlockFrameBytes + stored.size() + kChecksumBytes);
  block.push_back(static_cast<char>(PartType::kBlock));
  block.push_back(static_cast<char>(compressed ? compression::Codec::kZstd : compression::Codec::kNone));
  AppendFixed(block, static_cast<std::uint32_t>(stored.size()));
  AppendFixed(block, static_cast<std::uint32_t>(entries.size()));
  AppendFixed(block, count);
  block += stored;
  AppendChecksum(&block);
  return block;
}

Result<BlockFrame> DecodeBlockFrame(std::string_view frame) {
  ByteReader reader(frame);
  reader.Byte();
  BlockFrame block;
  block.codec = reader.Byte();
  block.stored_bytes = static_cast<std::uint32_t>(reader.Number(4));
  block.entry_bytes = static_cast<std::uint32_t>(reader.Number(4));
  block.entries = static_cast<std::uint32_t>(reader.Number(4));
  // Zstandard leaves alone what it would make larger.
  const bool sound = block.stored_bytes <= block.entry_bytes && block.entry_bytes <= kMaxBlockBytes &&
                     block.entries >= 1 && block.entries <= block.entry_bytes;
  if (reader.failed() || !sound) return Damaged("length of a block");
  return block;
}

Result<UnpackedBlock> UnpackBlock(std::string_view block) {
  const auto body = WithoutChecksum(block);
  if (!body) return Damaged("checksum of a block");
  HOLDFAST_ASSIGN_OR_RETURN(const BlockFrame frame, DecodeBlockFrame(body->substr(0, kBlockFrameBytes)));
  const std::string_view bytes = body->substr(kBlockFrameBytes);
  UnpackedBlock unpacked;
  unpacked.count = frame.entries;
  if (frame.codec == static_cast<std::uint8_t>(compression::Codec::kZstd)) {
    auto result = compression::Decompress(compression::Codec::kZstd, bytes, frame.entry_bytes, kMaxBlockBytes);
    if (!result.ok()) return Damaged("compression of a block");
    unpacked.entries = std::move(result).value();
  } else if (frame.codec != static_cast<std::uint8_t>(compression::Codec::kNone)) {
    return Damaged("codec of a block");
  } else {
    unpacked.entries = bytes;
  }
  if (unpacked.entries.size() != frame.entry_bytes) return Damaged("length of a block");
  return unpacked;
}

Status DecodeBlock(std::string_view block, std::vector<storage::KeyedEntry>* entries) {
  HOLDFAST_ASSIGN_OR_RETURN(const UnpackedBlock unpacked, UnpackBlock(block));
  ByteReader reader(unpacked.entries);
  for (std::uint32_t i = 0; i < unpacked.count; ++i) {
    storage::KeyedEntry item;
    item.key = reader.NonEmptyText();
    auto entry = std::make_shared<Entry>();
    if (storage::ReadAttributes(reader, entry.get()) != nullptr) return Damaged("an entry");
    entry->value = reader.Text();
    if (reader.failed()) return Damaged("an entry");
    item.value_bytes = entry->value.size();
    item.entry = std::move(entry);
    entries->push_back(std::move(item));
  }
  if (reader.remaining() != 0) return Damaged("length of a block");
  return {};
}

std::string EncodeFooterHead(const CheckpointSummary& summary) {
  std::string head;
  head.push_back(static_cast<char>(PartType::kFooter));
  for (const std::uint64_t number : {summary.entries, summary.entry_bytes, summary.blocks, summary.file_bytes}) {
    AppendFixed(head, number);
  }
  return head;
}

std::string EncodeFooter(std::string head, const Digest& digest) {
  head.append(digest.data(), digest.size());
  AppendChecksum(&head);
  return head;
}

Result<CheckpointSummary> DecodeFooter(std::string_view footer) {
  const auto body = WithoutChecksum(footer);
  if (!body || footer.size() != kFooterBytes) return Damaged("checksum of the footer");
  ByteReader reader(*body);
  if (reader.Byte() != static_cast<std::uint8_t>(PartType::kFooter)) return Damaged("there is no footer");
  CheckpointSummary summary;
  summary.entries = reader.Number(8);
  summary.entry_bytes = reader.Number(8);
  summary.blocks = reader.Number(8);
  summary.file_bytes = reader.Number(8);
  const std::string_view digest = reader.Bytes(summary.digest.size());
  std::copy(digest.begin(), digest.end(), summary.digest.begin());
  return summary;
}

}  // namespace holdfast::durability
