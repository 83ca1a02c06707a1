#include "service/backends/memory/memory_snapshot.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "service/storage/decision.h"

namespace holdfast::storage {
namespace {

using Item = std::pair<std::string, KeptEntry>;

// The entries of one shard at the moment, in the order of their keys, fetched a few at a time.
class ShardView {
 public:
  ShardView(Shard& shard, const KeyRange& range) : shard_(shard) { moment_.range = range; }
  ShardView(const ShardView&) = delete;
  ShardView& operator=(const ShardView&) = delete;
  ~ShardView() {
    const std::unique_lock lock(shard_.mutex);
    shard_.Forget(&moment_);
  }

  // The shard is locked.
  void Register() { shard_.Remember(&moment_); }

  // The next one that is live at `now`, or null at the end.
  const Item* Peek(Timestamp now) {
    while (next_ == items_.size() && !moment_.complete) Fetch(now);
    return next_ == items_.size() ? nullptr : &items_[next_];
  }
  Item Take() { return std::move(items_[next_++]); }

 private:
  void Fetch(Timestamp now) {
    std::vector<Item> found;
    std::vector<ShardMoment::Change> changes;
    bool exhausted = false;
    {
      const std::shared_lock lock(shard_.mutex);
      exhausted = shard_.Walk(moment_.range, false, moment_.read, kKeysPerLock, [&found](const Record& record) {
        found.emplace_back(record.key(), record.Kept());
        return true;
      });
      changes = std::exchange(moment_.changed, {});
      moment_.compact_at = ShardMoment::kCompactFirst;
      moment_.complete = exhausted;
      if (!exhausted) moment_.read = found.back().first;
    }
    Compact(&changes);
    for (ShardMoment::Change& change : changes) before_.insert(std::move(change));
    const std::string last = found.empty() ? std::string() : found.back().first;
    // What changed since stands in `before_`, as far as the walk has come.
    const auto end = exhausted ? before_.end() : before_.upper_bound(last);
    items_.clear();
    next_ = 0;
    auto changed = before_.begin();
    const auto add = [&](Item item) {
      if (item.second.entry && !IsExpired(*item.second.entry, now)) items_.push_back(std::move(item));
    };
    for (Item& item : found) {
      for (; changed != end && changed->first < item.first; ++changed) add(*changed);
      if (changed != end && changed->first == item.first) continue;
      add(std::move(item));
    }
    for (; changed != end; ++changed) add(*changed);
    before_.erase(before_.begin(), end);
  }

  Shard& shard_;
  // Written by others with shard_.mutex held alone, by the owner with it held shared: no other reader looks at it.
  ShardMoment moment_;
  std::map<std::string, KeptEntry> before_;  // what keys had that changed and were not read yet; null: they were absent
  std::vector<Item> items_;
  std::size_t next_ = 0;
};

class MemorySnapshot final : public Snapshot {
 public:
  MemorySnapshot(std::span<Shard> shards, const KeyRange& range, const Clock& clock, const std::atomic<bool>& closed)
      : closed_(closed) {
    for (Shard& shard : shards) views_.push_back(std::make_unique<ShardView>(shard, range));
    std::vector<std::unique_lock<ShardLock>> locks;
    // In the order of transactions, which hold several too.
    for (Shard& shard : shards) locks.emplace_back(shard.mutex);
    for (const auto& view : views_) view->Register();
    now_ = clock.Now();
  }

  SnapshotConsistency consistency() const override { return SnapshotConsistency::kPointInTime; }

  Result<std::vector<KeyedEntry>> Next(Deadline deadline) override {
    if (closed_.load(std::memory_order_acquire)) {
      return Error(ErrorCode::kUnavailable, "the memory backend is closed");
    }
    if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while reading a snapshot");
    const auto later = [this](ShardView* a, ShardView* b) { return a->Peek(now_)->first > b->Peek(now_)->first; };
    std::vector<ShardView*> heap;
    for (const auto& view : views_) {
      if (view->Peek(now_) != nullptr) heap.push_back(view.get());
    }
    std::make_heap(heap.begin(), heap.end(), later);
    std::vector<KeyedEntry> entries;
    for (std::size_t bytes = 0; !heap.empty() && entries.size() < kSnapshotEntries && bytes < kSnapshotBytes;) {
      std::pop_heap(heap.begin(), heap.end(), later);
      Item item = heap.back()->Take();
      const std::size_t value_bytes = ValueBytes(*item.second.entry, item.second.packed);
      bytes += item.first.size() + value_bytes;
      entries.push_back({std::move(item.first), Plain(item.second), value_bytes});
      if (heap.back()->Peek(now_) == nullptr) {
        heap.pop_back();
      } else {
        std::push_heap(heap.begin(), heap.end(), later);
      }
    }
    return entries;
  }

 private:
  const std::atomic<bool>& closed_;
  Timestamp now_{};
  std::vector<std::unique_ptr<ShardView>> views_;
};

}  // namespace

std::unique_ptr<Snapshot> OpenMemorySnapshot(std::span<Shard> shards, const KeyRange& range, const Clock& clock,
                                             const std::atomic<bool>& closed) {
  return std::make_unique<MemorySnapshot>(shards, range, clock, closed);
}

}  // namespace holdfast::storage
