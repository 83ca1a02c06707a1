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

CheckpointReader::CheckpointReader(ByteSource source, const ReaderOptions& options)
    : source_(std::move(source)), options_(options) {
  if (options_.threads == 0) return;
  pool_ = std::make_unique<execution::TaskPool>(options_.threads, static_cast<std::size_t>(options_.threads) + 1);
}

Result<CheckpointReader> CheckpointReader::Open(ByteSource source, const ReaderOptions& options) {
  CheckpointReader reader(std::move(source), options);
  std::string bytes;
  HOLDFAST_RETURN_IF_ERROR(reader.Read(&bytes, kHeaderFrameBytes));
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t size, HeaderBytes(bytes));
  HOLDFAST_RETURN_IF_ERROR(reader.Read(&bytes, size - bytes.size()));
  HOLDFAST_ASSIGN_OR_RETURN(reader.header_, DecodeHeader(bytes));
  HOLDFAST_RETURN_IF_ERROR(CheckKind(reader.header_, options.kind));
  reader.digest_.Add(bytes);
  reader.seen_.file_bytes = bytes.size();
  return reader;
}

Result<std::vector<storage::KeyedEntry>> CheckpointReader::Next() {
  if (broken_.ok()) broken_ = ReadAhead();
  if (ahead_.empty()) {
    HOLDFAST_RETURN_IF_ERROR(broken_);
    HOLDFAST_RETURN_IF_ERROR(Footer(std::move(behind_)));
    return std::vector<storage::KeyedEntry>();
  }
  Result<Block> decoded = ahead_.front().block.get();
  ahead_bytes_ -= ahead_.front().bytes;
  ahead_.pop_front();
  HOLDFAST_ASSIGN_OR_RETURN(Block block, std::move(decoded));
  if (block.entries.front().key <= last_key_) return Damaged("order of the keys");
  last_key_ = block.entries.back().key;
  seen_.entry_bytes += block.entry_bytes;
  seen_.entries += block.entries.size();
  ++seen_.blocks;
  return std::move(block.entries);
}

Status CheckpointReader::ReadAhead() {
  const std::size_t most = static_cast<std::size_t>(options_.threads) + 1;
  while (behind_.empty() && (ahead_.empty() || (ahead_.size() < most && ahead_bytes_ < kAheadBytes))) {
    std::string part;
    HOLDFAST_RETURN_IF_ERROR(Read(&part, 1));
    if (part[0] == static_cast<char>(PartType::kBlock)) {
      HOLDFAST_RETURN_IF_ERROR(ReadBlock(std::move(part)));
    } else {
      behind_ = std::move(part);
    }
  }
  return {};
}

Status CheckpointReader::ReadBlock(std::string block) {
  HOLDFAST_RETURN_IF_ERROR(Read(&block, kBlockFrameBytes - block.size()));
  HOLDFAST_ASSIGN_OR_RETURN(const BlockFrame frame, DecodeBlockFrame(block));
  HOLDFAST_RETURN_IF_ERROR(Read(&block, frame.stored_bytes + kChecksumBytes));
  seen_.file_bytes += block.size();
  digest_.Add(block);
  const auto decode = std::make_shared<std::packaged_task<Result<Block>()>>(
      [block = std::move(block), options = options_] { return Decode(block, options); });
  ahead_.push_back({decode->get_future(), frame.entry_bytes});
  ahead_bytes_ += frame.entry_bytes;
  if (pool_ == nullptr || !pool_->Add([decode] { (*decode)(); })) (*decode)();
  return {};
}

Result<CheckpointReader::Block> CheckpointReader::Decode(const std::string& block, const ReaderOptions& options) {
  Block decoded;
  HOLDFAST_RETURN_IF_ERROR(DecodeBlock(block, &decoded.entries));
  const std::string* last = nullptr;
  for (const storage::KeyedEntry& item : decoded.entries) {
    if (last != nullptr && item.key <= *last) return Damaged("order of the keys");
    last = &item.key;
    decoded.entry_bytes += item.key.size() + item.value_bytes;
  }
  if (options.check) HOLDFAST_RETURN_IF_ERROR(options.check(decoded.entries));
  return decoded;
}

Status CheckpointReader::Footer(std::string footer) {
  if (footer[0] != static_cast<char>(PartType::kFooter)) return Damaged("an unknown part");
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

Result<ValidCheckpoint> ValidateCheckpoint(ByteSource source, const ReaderOptions& options) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader, CheckpointReader::Open(std::move(source), options));
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto entries, reader.Next());
    if (entries.empty()) return ValidCheckpoint{reader.header(), reader.summary()};
  }
}

}  // namespace holdfast::durability
