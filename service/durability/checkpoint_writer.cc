#include "service/durability/checkpoint_writer.h"

#include <utility>

namespace holdfast::durability {

CheckpointWriter::CheckpointWriter(ByteSink sink, const WriterOptions& options)
    : sink_(std::move(sink)),
      options_(options),
      most_in_flight_(static_cast<std::size_t>(options.threads) + 1),
      pool_(options.threads, most_in_flight_ + 1) {}

Status CheckpointWriter::Write(std::string_view bytes) {
  digest_.Add(bytes);
  summary_.file_bytes += bytes.size();
  return sink_(bytes);
}

Status CheckpointWriter::Begin(const CheckpointHeader& header) {
  return Write(EncodeHeader(header));
}

Status CheckpointWriter::Add(std::string_view key, const storage::Entry& entry) {
  if (key <= last_key_) {
    return Error(ErrorCode::kInvalidArgument, "entries of a checkpoint come in the order of their keys, each once");
  }
  if (!entries_.empty() && entries_.size() + key.size() + entry.value.size() > kBlockBytes) {
    HOLDFAST_RETURN_IF_ERROR(EndBlock());
  }
  last_key_ = key;
  AppendEntry(&entries_, key, entry);
  ++count_;
  ++summary_.entries;
  summary_.entry_bytes += key.size() + entry.value.size();
  return entries_.size() >= kBlockBytes ? EndBlock() : Status();
}

Status CheckpointWriter::EndBlock() {
  HOLDFAST_RETURN_IF_ERROR(WriteBlocks(most_in_flight_ - 1));
  const auto block = std::make_shared<std::packaged_task<std::string()>>(
      [entries = std::exchange(entries_, {}), count = std::exchange(count_, 0), level = options_.level] {
        return EncodeBlock(entries, count, level);
      });
  entries_.reserve(kBlockBytes);
  ++summary_.blocks;
  in_flight_.push_back(block->get_future());
  // There is room in the queue for all that may be in flight.
  if (!pool_.Add([block] { (*block)(); })) (*block)();
  return {};
}

Status CheckpointWriter::WriteBlocks(std::size_t most) {
  while (in_flight_.size() > most) {
    const std::string block = in_flight_.front().get();
    in_flight_.pop_front();
    HOLDFAST_RETURN_IF_ERROR(Write(block));
  }
  return {};
}

Result<CheckpointSummary> CheckpointWriter::Finish() {
  if (count_ > 0) HOLDFAST_RETURN_IF_ERROR(EndBlock());
  HOLDFAST_RETURN_IF_ERROR(WriteBlocks(0));
  summary_.file_bytes += kFooterBytes;
  std::string head = EncodeFooterHead(summary_);
  digest_.Add(head);
  summary_.digest = digest_.Finish();
  HOLDFAST_RETURN_IF_ERROR(sink_(EncodeFooter(std::move(head), summary_.digest)));
  return summary_;
}

}  // namespace holdfast::durability
