#include "service/durability/checkpoint_reader.h"

#include <algorithm>

namespace holdfast::durability {
namespace {

// How much is taken on the word of a length.
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

}  // namespace

Status CheckpointReader::Read(std::string* bytes, std::size_t count) {
  while (count > 0) {
    const std::size_t begin = bytes->size();
    bytes->resize(begin + std::min(count, kReadBytes));
    HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, source_(bytes->data() + begin, bytes->size() - begin));
    bytes->resize(begin + read);
    if (read == 0) return Damaged("it is cut off");
    count -= read;
  }
  return {};
}

Result<CheckpointReader> CheckpointReader::Open(ByteSource source) {
  CheckpointReader reader(std::move(source));
  std::string bytes;
  HOLDFAST_RETURN_IF_ERROR(reader.Read(&bytes, kHeaderFrameBytes));
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t size, HeaderBytes(bytes));
  HOLDFAST_RETURN_IF_ERROR(reader.Read(&bytes, size - bytes.size()));
  HOLDFAST_ASSIGN_OR_RETURN(reader.header_, DecodeHeader(bytes));
  reader.digest_.Add(bytes);
  reader.seen_.file_bytes = bytes.size();
  return reader;
}

Result<std::vector<storage::KeyedEntry>> CheckpointReader::Next() {
  std::string part;
  HOLDFAST_RETURN_IF_ERROR(Read(&part, 1));
  if (part[0] == static_cast<char>(PartType::kBlock)) return Block(std::move(part));
  if (part[0] != static_cast<char>(PartType::kFooter)) return Damaged("an unknown part");
  HOLDFAST_RETURN_IF_ERROR(Footer(std::move(part)));
  return std::vector<storage::KeyedEntry>();
}

Result<std::vector<storage::KeyedEntry>> CheckpointReader::Block(std::string block) {
  HOLDFAST_RETURN_IF_ERROR(Read(&block, kBlockFrameBytes - block.size()));
  HOLDFAST_ASSIGN_OR_RETURN(const BlockFrame frame, DecodeBlockFrame(block));
  HOLDFAST_RETURN_IF_ERROR(Read(&block, frame.stored_bytes + kChecksumBytes));
  std::vector<storage::KeyedEntry> entries;
  HOLDFAST_RETURN_IF_ERROR(DecodeBlock(block, &entries));
  for (const storage::KeyedEntry& item : entries) {
    if (item.key <= last_key_) return Damaged("order of the keys");
    last_key_ = item.key;
    seen_.entry_bytes += item.key.size() + item.value_bytes;
  }
  seen_.entries += entries.size();
  ++seen_.blocks;
  seen_.file_bytes += block.size();
  digest_.Add(block);
  return entries;
}

Status CheckpointReader::Footer(std::string footer) {
  HOLDFAST_RETURN_IF_ERROR(Read(&footer, kFooterBytes - footer.size()));
  HOLDFAST_ASSIGN_OR_RETURN(summary_, DecodeFooter(footer));
  seen_.file_bytes += footer.size();
  const bool counted = summary_.entries == seen_.entries && summary_.entry_bytes == seen_.entry_bytes &&
                       summary_.blocks == seen_.blocks && summary_.file_bytes == seen_.file_bytes;
  if (!counted) return Damaged("blocks are missing");
  digest_.Add(EncodeFooterHead(summary_));
  if (digest_.Finish() != summary_.digest) return Damaged("SHA-256");
  char beyond = 0;
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t read, source_(&beyond, 1));
  if (read != 0) return Damaged("something stands behind its end");
  return {};
}

Result<ValidCheckpoint> ValidateCheckpoint(ByteSource source) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(std::move(source)));
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto entries, reader.Next());
    if (entries.empty()) return ValidCheckpoint{reader.header(), reader.summary()};
  }
}

}  // namespace holdfast::durability
