#include "service/durability/range_index.h"

#include <algorithm>
#include <utility>

#include "service/storage/crc32c.h"
#include "service/storage/entry_attributes.h"

namespace holdfast::durability {

bool BeginsRange(std::string_view key, std::size_t bytes) {
  return bytes >= kRangeBytes || storage::Crc32c(key) % kRangeEntries == 0;
}

std::size_t RangeDigester::Add(std::string_view key, const storage::Entry& entry) {
  encoded_.clear();
  AppendEntry(&encoded_, key, entry);
  stream_.Add(encoded_);
  return encoded_.size();
}

RangeDigest RangeDigester::Finish() {
  const Digest whole = std::exchange(stream_, {}).Finish();
  RangeDigest digest{};
  std::copy_n(whole.begin(), digest.size(), digest.begin());
  return digest;
}

storage::Entry EncodeRange(const IndexedRange& range) {
  storage::Entry entry;
  entry.value.push_back(static_cast<char>(range.link));
  storage::AppendFixed(entry.value, range.entries);
  entry.value.append(range.digest.data(), range.digest.size());
  return entry;
}

Result<RangeIndexReader> RangeIndexReader::Open(ByteSource source) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointReader reader,
                            CheckpointReader::Open(std::move(source), {0, {}, CheckpointKind::kRanges}));
  return RangeIndexReader(std::move(reader));
}

Result<storage::KeyedEntry*> RangeIndexReader::Peek() {
  if (next_ == items_.size() && !complete_) {
    HOLDFAST_ASSIGN_OR_RETURN(items_, reader_.Next());
    complete_ = items_.empty();
    next_ = 0;
  }
  return next_ == items_.size() ? nullptr : &items_[next_];
}

Result<std::optional<IndexedRange>> RangeIndexReader::Next() {
  HOLDFAST_ASSIGN_OR_RETURN(storage::KeyedEntry* const item, Peek());
  if (item == nullptr) return std::optional<IndexedRange>();
  IndexedRange range;
  storage::ByteReader value(item->entry->value);
  range.link = value.Byte();
  range.entries = static_cast<std::uint32_t>(value.Number(4));
  const std::string_view digest = value.Bytes(range.digest.size());
  if (value.failed() || value.remaining() != 0 || range.entries == 0) return Damaged("a range of its index");
  std::copy(digest.begin(), digest.end(), range.digest.begin());
  range.first = std::move(item->key);
  ++next_;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::KeyedEntry* const behind, Peek());
  if (behind != nullptr) range.end = behind->key;
  return std::optional(std::move(range));
}

}  // namespace holdfast::durability
