#include "service/durability/chain_reader.h"

#include <algorithm>
#include <utility>

#include "service/durability/checkpoint_source.h"

namespace holdfast::durability {
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
  const std::shared_ptr<ChainReader> shared = std::move(chain);
  return CheckpointOf([shared] { return shared->Next(); }, std::move(header), options,
                      [shared, accept = std::move(accept)] { return accept(shared->totals()); });
}

}  // namespace holdfast::durability
