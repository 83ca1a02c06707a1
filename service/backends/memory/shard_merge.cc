#include "service/backends/memory/shard_merge.h"

#include <algorithm>

#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

EntryPtr WithoutValue(const Entry& entry) {
  auto copy = std::make_shared<Entry>();
  CopyAttributes(entry, copy.get());
  return copy;
}

// The live entries of one shard in scan order, fetched a few at a time: a page of 100 keys of 64 shards needs a handful
// of each, not 100.
class ShardCursor {
 public:
  ShardCursor(const Shard& shard, const ScanRequest& request, Timestamp now, std::size_t fetch)
      : shard_(shard), request_(request), now_(now), fetch_(fetch), after_(request.after) {}

  // The next entry, or null at the end.
  const std::pair<std::string, KeptEntry>* Peek() {
    while (next_ == buffer_.size() && !exhausted_) Fetch();
    return next_ == buffer_.size() ? nullptr : &buffer_[next_];
  }
  std::pair<std::string, KeptEntry> Take() { return std::move(buffer_[next_++]); }

 private:
  void Fetch() {
    buffer_.clear();
    next_ = 0;
    std::optional<std::string> last;
    std::shared_lock lock(shard_.mutex);
    exhausted_ = shard_.Walk(request_.range, request_.descending, after_, fetch_, [&](const Record& record) {
      last = record.key();
      if (!IsExpired(*record.entry, now_)) buffer_.emplace_back(record.key(), record.Kept());
      return true;
    });
    if (last) after_ = std::move(last);
  }

  const Shard& shard_;
  const ScanRequest& request_;
  const Timestamp now_;
  const std::size_t fetch_;
  std::optional<std::string> after_;
  std::vector<std::pair<std::string, KeptEntry>> buffer_;
  std::size_t next_ = 0;
  bool exhausted_ = false;
};

}  // namespace

Result<ScanPage> MergeShards(std::span<const Shard> shards, const ScanRequest& request, const Limits& limits,
                             Timestamp now, Deadline deadline) {
  const std::size_t limit = std::min(request.limit, limits.max_scan_entries);
  std::vector<ShardCursor> cursors;
  cursors.reserve(shards.size());
  const std::size_t fetch = std::min(kKeysPerLock, 2 * limit / shards.size() + 4);
  for (const Shard& shard : shards) cursors.emplace_back(shard, request, now, fetch);

  // A heap of cursors by their next key; the top is the next entry of the page.
  const auto later = [&request](ShardCursor* a, ShardCursor* b) {
    const std::string& left = a->Peek()->first;
    const std::string& right = b->Peek()->first;
    return request.descending ? left < right : left > right;
  };
  std::vector<ShardCursor*> heap;
  for (ShardCursor& cursor : cursors) {
    if (cursor.Peek() != nullptr) heap.push_back(&cursor);
  }
  std::make_heap(heap.begin(), heap.end(), later);

  ScanPage page;
  std::size_t bytes = 0;
  while (!heap.empty()) {
    const auto& [key, kept] = *heap.front()->Peek();
    const std::size_t value_bytes = ValueBytes(*kept.entry, kept.packed);
    const std::size_t size = key.size() + (request.keys_only ? 0 : value_bytes);
    const bool full = page.entries.size() == limit || bytes + size > limits.max_scan_bytes;
    if (full && !page.entries.empty()) return page;
    if (page.entries.size() % kKeysPerLock == 0 && deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while reading the range");
    }
    std::pop_heap(heap.begin(), heap.end(), later);
    auto [taken_key, taken] = heap.back()->Take();
    bytes += size;
    page.entries.push_back(
        {std::move(taken_key), request.keys_only ? WithoutValue(*taken.entry) : Plain(taken), value_bytes});
    if (heap.back()->Peek() == nullptr) {
      heap.pop_back();
    } else {
      std::push_heap(heap.begin(), heap.end(), later);
    }
  }
  page.complete = true;
  return page;
}

}  // namespace holdfast::storage
