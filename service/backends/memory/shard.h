// One shard of the memory backend: a hash table, an ordered index and an expiry index over the same entries.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::storage {

// How many keys are walked, deleted or swept under one hold of a shard's lock; bounds how long others wait.
inline constexpr std::size_t kKeysPerLock = 1024;

// A key with its hash, so that choosing the shard and looking into it hash once.
struct HashedKey {
  explicit HashedKey(std::string_view text) : key(text), hash(std::hash<std::string_view>{}(text)) {}
  std::string_view key;
  std::size_t hash;
};

// Methods are called with `mutex` held: shared for const ones, exclusive for the others. An entry that has expired is
// treated like any other here; the caller compares with its clock.
class Shard {
 public:
  mutable std::shared_mutex mutex;

  // Null when absent.
  const EntryPtr* Find(const HashedKey& key) const;
  void Store(const HashedKey& key, EntryPtr entry);
  void Erase(const HashedKey& key);
  void Clear();

  std::size_t size() const { return entries_.size(); }
  bool has_expiring() const { return !expiring_.empty(); }

  // Calls visit(key, entry) in key order, ascending or descending, for the keys of the range strictly behind `after`
  // (when given), until it returns false or `most` keys were visited. True when the range is exhausted.
  template <typename Visit>
  bool Walk(const KeyRange& range, bool descending, const std::optional<std::string>& after, std::size_t most,
            const Visit& visit) const;

  // The keys whose expiry is at or before `now`, earliest first, at most `most`.
  std::vector<std::string> Expired(Timestamp now, std::size_t most) const;

 private:
  struct Hash {
    using is_transparent = void;
    // Not noexcept: libstdc++ then keeps each key's hash in its node instead of computing it on every collision.
    std::size_t operator()(const std::string& key) const { return std::hash<std::string_view>{}(key); }
    std::size_t operator()(const HashedKey& key) const { return key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const std::string& a, const std::string& b) const { return a == b; }
    bool operator()(const HashedKey& a, const std::string& b) const { return a.key == b; }
    bool operator()(const std::string& a, const HashedKey& b) const { return a == b.key; }
  };
  // The views and pointers below point into nodes of entries_, whose addresses are stable until they are erased.
  using Index = std::map<std::string_view, const EntryPtr*>;

  std::unordered_map<std::string, EntryPtr, Hash, Equal> entries_;
  Index ordered_;
  std::set<std::pair<Timestamp, std::string_view>> expiring_;
};

template <typename Visit>
bool Shard::Walk(const KeyRange& range, bool descending, const std::optional<std::string>& after, std::size_t most,
                 const Visit& visit) const {
  Index::const_iterator first = ordered_.lower_bound(range.start);
  Index::const_iterator last = range.end ? ordered_.lower_bound(*range.end) : ordered_.end();
  if (range.end && *range.end <= range.start) return true;
  if (after && !descending && *after >= range.start) {
    first = ordered_.upper_bound(*after);
    if (range.end && *after >= *range.end) return true;
  }
  if (after && descending && (!range.end || *after < *range.end)) {
    last = ordered_.lower_bound(*after);
    if (*after <= range.start) return true;
  }
  for (std::size_t visited = 0; first != last; ++visited) {
    if (visited == most) return false;
    const Index::const_iterator next = descending ? --last : first++;
    if (!visit(next->first, *next->second)) return false;
  }
  return true;
}

}  // namespace holdfast::storage
