#include "service/durability/chain_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace holdfast::durability {
namespace {

// The checkpoint as it comes into being.
class ChainCheckpoint {
 public:
  ChainCheckpoint(std::unique_ptr<ChainReader> chain, CheckpointHeader header, const WriterOptions& options,
                  std::function<Status(const ChainTotals&)> accept)
      : chain_(std::move(chain)),
        header_(std::move(header)),
        accept_(std::move(accept)),
        writer_(
            [this](std::string_view bytes) {
              ready_ += bytes;
              return Status();
            },
            options) {}

  Result<std::size_t> Read(char* buffer, std::size_t size) {
    while (ready_.size() - at_ < size && !complete_) HOLDFAST_RETURN_IF_ERROR(Step());
    const std::size_t some = std::min(size, ready_.size() - at_);
    std::memcpy(buffer, ready_.data() + at_, some);
    at_ += some;
    return some;
  }

 private:
  Status Step() {
    ready_.erase(0, std::exchange(at_, 0));
    if (!begun_) {
      begun_ = true;
      return writer_.Begin(header_);
    }
    HOLDFAST_ASSIGN_OR_RETURN(const auto items, chain_->Next());
    for (const storage::KeyedEntry& item : items) HOLDFAST_RETURN_IF_ERROR(writer_.Add(item.key, *item.entry));
    if (!items.empty()) return {};
    HOLDFAST_RETURN_IF_ERROR(accept_(chain_->totals()));
    complete_ = true;
    HOLDFAST_RETURN_IF_ERROR(writer_.Finish());
    return {};
  }

  const std::unique_ptr<ChainReader> chain_;
  const CheckpointHeader header_;
  const std::function<Status(const ChainTotals&)> accept_;
  bool begun_ = false;
  bool complete_ = false;
  std::string ready_;
  std::size_t at_ = 0;
  CheckpointWriter writer_;  // last: its sink fills what stands above
};

}  // namespace

Result<std::unique_ptr<ChainReader>> ChainReader::Open(ByteSource index, std::vector<ChainLink> links) {
  HOLDFAST_ASSIGN_OR_RETURN(RangeIndexReader ranges, RangeIndexReader::Open(std::move(index)));
  std::unique_ptr<ChainReader> chain(new ChainReader(std::move(ranges)));
  for (ChainLink& link : links) HOLDFAST_RETURN_IF_ERROR(chain->AddLink(std::move(link)));
  if (chain->links_.empty()) return Damaged("it has no links");
  if (chain->index_.header().id != chain->header().id) return Damaged("its index is that of another one");
  return chain;
}

Status ChainReader::AddLink(ChainLink link) {
  const CheckpointKind kind = links_.empty() ? CheckpointKind::kFull : CheckpointKind::kIncrement;
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader opened, CheckpointReader::Open(std::move(link.data), {0, {}, kind}));
  auto reader = std::make_shared<CheckpointReader>(std::move(opened));
  if (kind == CheckpointKind::kIncrement && reader->header().parent != link.parent) {
    return Damaged("it builds on another one");
  }
  const auto next_page = [reader](bool* complete) {
    auto entries = reader->Next();
    *complete = entries.ok() && entries->empty();
    return entries;
  };
  links_.push_back({reader, link.checksum, Entries(next_page)});
  return {};
}

Result<std::vector<storage::KeyedEntry>> ChainReader::Next() {
  std::vector<storage::KeyedEntry> items;
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<IndexedRange> range, index_.Next());
  if (!range) {
    HOLDFAST_RETURN_IF_ERROR(Finish());
    return items;
  }
  if (range->link >= links_.size()) return Damaged("a range of its index");
  Entries& entries = links_[range->link].entries;
  while (true) {
    HOLDFAST_ASSIGN_OR_RETURN(storage::KeyedEntry* const item, entries.Peek());
    if (item == nullptr || (range->end && item->key >= *range->end)) break;
    // What stood before it has been replaced, or is gone.
    if (item->key >= range->first) {
      digester_.Add(item->key, *item->entry);
      items.push_back(std::move(*item));
      if (items.size() > range->entries) break;
    }
    entries.Pop();
  }
  if (digester_.Finish() != range->digest || items.size() != range->entries) {
    return Damaged("a range is not what its index says");
  }
  for (const storage::KeyedEntry& item : items) {
    content_.Add(item.key, *item.entry);
    entry_bytes_ += item.key.size() + item.value_bytes;
  }
  entries_ += items.size();
  return items;
}

Status ChainReader::Finish() {
  for (Link& link : links_) {
    while (true) {
      HOLDFAST_ASSIGN_OR_RETURN(const storage::KeyedEntry* const item, link.entries.Peek());
      if (item == nullptr) break;
      link.entries.Pop();
    }
    if (link.reader->summary().digest != link.checksum) return Damaged("it holds another one than its manifest says");
  }
  return {};
}

ByteSource CheckpointOf(std::unique_ptr<ChainReader> chain, CheckpointHeader header, const WriterOptions& options,
                        std::function<Status(const ChainTotals& totals)> accept) {
  const auto whole = std::make_shared<ChainCheckpoint>(std::move(chain), std::move(header), options, std::move(accept));
  return [whole](char* buffer, std::size_t size) { return whole->Read(buffer, size); };
}

}  // namespace holdfast::durability
