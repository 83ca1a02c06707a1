#include "service/durability/indexed_export.h"

#include <utility>

#include "service/dual_write/range_hash.h"
#include "service/durability/content.h"

namespace holdfast::durability {
namespace {

// The ranges of the parent, asked for in the order of their keys.
class ParentRanges {
 public:
  static Result<ParentRanges> Open(ByteSource source, std::uint8_t link) {
    HOLDFAST_ASSIGN_OR_RETURN(RangeIndexReader reader, RangeIndexReader::Open(std::move(source)));
    ParentRanges ranges(std::move(reader), link);
    HOLDFAST_RETURN_IF_ERROR(ranges.Advance());
    return ranges;
  }

  // Whose stream has the same range, with all that stands in it; nullopt: none.
  Result<std::optional<std::uint8_t>> LinkOf(const IndexedRange& range) {
    while (there_ && there_->first < range.first) HOLDFAST_RETURN_IF_ERROR(Advance());
    const bool same = there_ && there_->first == range.first && there_->end == range.end &&
                      there_->entries == range.entries && there_->digest == range.digest;
    if (!same) return std::optional<std::uint8_t>();
    if (there_->link >= link_) return Damaged("a range of the index of its parent");
    return std::optional(there_->link);
  }

 private:
  ParentRanges(RangeIndexReader reader, std::uint8_t link) : reader_(std::move(reader)), link_(link) {}

  Status Advance() {
    HOLDFAST_ASSIGN_OR_RETURN(there_, reader_.Next());
    return {};
  }

  RangeIndexReader reader_;
  std::uint8_t link_;
  std::optional<IndexedRange> there_;
};

class RangeWriter {
 public:
  RangeWriter(CheckpointWriter& data, CheckpointWriter& index, std::optional<ParentRanges>& parent, std::uint8_t link)
      : data_(data), index_(index), parent_(parent), link_(link) {}

  Status Add(storage::KeyedEntry item) {
    if (!held_.empty() && BeginsRange(item.key, bytes_)) HOLDFAST_RETURN_IF_ERROR(EndRange(item.key));
    bytes_ += digester_.Add(item.key, *item.entry);
    held_.push_back(std::move(item));
    return {};
  }
  Status Finish() { return held_.empty() ? Status() : EndRange(std::nullopt); }

 private:
  Status EndRange(std::optional<std::string> end) {
    IndexedRange range{held_.front().key, std::move(end), link_, static_cast<std::uint32_t>(held_.size()),
                       digester_.Finish()};
    std::optional<std::uint8_t> there;
    if (parent_) {
      HOLDFAST_ASSIGN_OR_RETURN(there, parent_->LinkOf(range));
    }
    if (there) {
      range.link = *there;
    } else {
      for (const storage::KeyedEntry& item : held_) HOLDFAST_RETURN_IF_ERROR(data_.Add(item.key, *item.entry));
    }
    held_.clear();
    bytes_ = 0;
    return index_.Add(range.first, EncodeRange(range));
  }

  CheckpointWriter& data_;
  CheckpointWriter& index_;
  std::optional<ParentRanges>& parent_;
  const std::uint8_t link_;
  std::vector<storage::KeyedEntry> held_;  // of the range that is not ended
  std::size_t bytes_ = 0;
  RangeDigester digester_;
};

// All that a snapshot gives, without the store's name before the keys.
Status WriteAll(storage::Snapshot& snapshot, std::size_t prefix, const IndexedExportOptions& options,
                RangeWriter* ranges, IndexedSummary* summary) {
  dual_write::RangeHash content;
  while (true) {
    if (options.go_on) HOLDFAST_RETURN_IF_ERROR(options.go_on());
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<storage::KeyedEntry> items, snapshot.Next(options.deadline));
    if (items.empty()) break;
    for (storage::KeyedEntry& item : items) {
      item.key.erase(0, prefix);
      if (PartOf(item.key) == Part::kNone) continue;
      content.Add(item.key, *item.entry);
      ++summary->entries;
      summary->entry_bytes += item.key.size() + item.entry->value.size();
      HOLDFAST_RETURN_IF_ERROR(ranges->Add(std::move(item)));
    }
  }
  summary->content = content.value();
  return ranges->Finish();
}

}  // namespace

Result<IndexedSummary> ExportIndexed(storage::Backend& backend, CheckpointHeader header,
                                     const IndexedExportOptions& options, const IndexedSinks& sinks) {
  const std::string prefix = header.store + '\0';
  header.backend = backend.kind();
  HOLDFAST_ASSIGN_OR_RETURN(const auto snapshot,
                            backend.OpenSnapshot(storage::KeyRange::Prefix(prefix), options.deadline));
  header.consistency = snapshot->consistency();
  header.kind = options.parent ? CheckpointKind::kIncrement : CheckpointKind::kFull;
  std::optional<ParentRanges> parent;
  if (options.parent) {
    HOLDFAST_ASSIGN_OR_RETURN(parent, ParentRanges::Open(options.parent, options.link));
  }
  CheckpointWriter data(sinks.data, options.writer);
  CheckpointWriter index(sinks.index, {1, options.writer.level});
  HOLDFAST_RETURN_IF_ERROR(data.Begin(header));
  CheckpointHeader index_header = header;
  index_header.kind = CheckpointKind::kRanges;
  HOLDFAST_RETURN_IF_ERROR(index.Begin(index_header));
  RangeWriter ranges(data, index, parent, options.link);
  IndexedSummary summary;
  HOLDFAST_RETURN_IF_ERROR(WriteAll(*snapshot, prefix.size(), options, &ranges, &summary));
  HOLDFAST_ASSIGN_OR_RETURN(summary.data, data.Finish());
  HOLDFAST_RETURN_IF_ERROR(index.Finish());
  summary.header = std::move(header);
  return summary;
}

}  // namespace holdfast::durability
