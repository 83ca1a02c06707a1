// One shard of the memory backend: a hash table, an ordered index and an expiry index over the same records.
#pragma once

#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/backends/memory/record_table.h"
#include "service/backends/memory/shard_lock.h"
#include "service/storage/types.h"

namespace holdfast::storage {

// How many keys are walked, deleted or swept under one hold of a shard's lock; bounds how long others wait.
inline constexpr std::size_t kKeysPerLock = 1024;

// What a snapshot (memory_snapshot.h) still needs of a shard that is written meanwhile: what its keys had, behind those
// that have been read.
struct ShardMoment {
  using Change = std::pair<std::string, KeptEntry>;  // what the key had

  KeyRange range;
  std::optional<std::string> read;  // up to and with this key everything has been; absent: nothing yet
  bool complete = false;
  // Entries of the shard with a higher version came behind the moment: what their keys had is known.
  Version newest = 0;
  // Since the reader last took them; the first of a key counts. Writers only append, so that they lose little; that
  // keys deleted and put again and again do not fill memory, what is there `compact_at` is reduced to one of each.
  std::vector<Change> changed;
  std::size_t compact_at = kCompactFirst;

  static constexpr std::size_t kCompactFirst = 1024;
};

// Ordered by key, and of each key the first.
void Compact(std::vector<ShardMoment::Change>* changed);

// Methods are called with `mutex` held: shared for const ones, exclusive for the others. An entry that has expired is
// treated like any other here; the caller compares with its clock.
class Shard {
 public:
  mutable ShardLock mutex;

  // Null when absent.
  const Record* FindRecord(const HashedKey& key) const { return records_.Find(key); }
  // The record, so that the caller notes its use; `is_new` says whether the key was absent.
  Record& Store(const HashedKey& key, KeptEntry kept, bool* is_new = nullptr);
  void Erase(const HashedKey& key);
  void Clear();

  // From now until it is taken out the moment is told what a key had before it changes. It is read by its owner with
  // `mutex` held shared.
  void Remember(ShardMoment* moment) {
    moment->newest = newest_;
    moments_.push_back(moment);
  }
  void Forget(ShardMoment* moment) { std::erase(moments_, moment); }

  std::size_t size() const { return records_.size(); }
  bool has_expiring() const { return !expiring_.empty(); }

  // Calls visit(record) in key order, ascending or descending, for the keys of the range strictly behind `after`
  // (when given), until it returns false or `most` keys were visited. True when the range is exhausted.
  template <typename Visit>
  bool Walk(const KeyRange& range, bool descending, const std::optional<std::string>& after, std::size_t most,
            const Visit& visit) const;

  // The records that may be evicted, in no order, so that a sample of them costs the same however few they are.
  // `record` is of this shard and leaves them by itself when it is erased.
  void SetCandidate(Record& record, bool candidate);
  std::size_t candidates() const { return candidates_.size(); }
  const Record& Candidate(std::size_t position) const { return *candidates_[position]; }

  // The key that expires first, when that is at or before `now`. Valid while it is there.
  std::optional<std::string_view> FirstExpired(Timestamp now) const;
  // The keys whose expiry is at or before `now`, earliest first, at most `most`.
  std::vector<std::string> Expired(Timestamp now, std::size_t most) const;

 private:
  struct KeyLess {
    using is_transparent = void;
    bool operator()(const Record* a, const Record* b) const { return a->key() < b->key(); }
    bool operator()(const Record* a, std::string_view b) const { return a->key() < b; }
    bool operator()(std::string_view a, const Record* b) const { return a < b->key(); }
  };
  // The pointers are the table's, whose records stay where they are until they are removed.
  using Index = std::set<const Record*, KeyLess>;

  // The key is about to change; null: it is absent.
  void Preserve(std::string_view key, const Record* record);

  std::vector<ShardMoment*> moments_;
  Version newest_ = 0;  // no entry that was ever stored had a higher one
  RecordTable records_;
  Index ordered_;
  std::set<std::pair<Timestamp, std::string_view>> expiring_;
  std::vector<Record*> candidates_;  // each knows its place
};

template <typename Visit>
bool Shard::Walk(const KeyRange& range, bool descending, const std::optional<std::string>& after, std::size_t most,
                 const Visit& visit) const {
  const auto lower_bound = [this](std::string_view key) { return ordered_.lower_bound(key); };
  Index::const_iterator first = lower_bound(range.start);
  Index::const_iterator last = range.end ? lower_bound(*range.end) : ordered_.end();
  if (range.end && *range.end <= range.start) return true;
  if (after && !descending && *after >= range.start) {
    first = ordered_.upper_bound(std::string_view(*after));
    if (range.end && *after >= *range.end) return true;
  }
  if (after && descending && (!range.end || *after < *range.end)) {
    last = lower_bound(*after);
    if (*after <= range.start) return true;
  }
  for (std::size_t visited = 0; first != last; ++visited) {
    if (visited == most) return false;
    const Record* next = descending ? *--last : *first++;
    if (!visit(*next)) return false;
  }
  return true;
}

}  // namespace holdfast::storage
