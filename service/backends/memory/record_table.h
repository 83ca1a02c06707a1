// A flat hash table of records: open addressing with linear probing, the hash beside each pointer, so that a look-up
// touches one line of the table and one of the record. Chains of nodes, as std::unordered_map has them, spent three
// quarters of a get waiting for memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::storage {

// A key with its hash, so that choosing the shard and looking into it hash once.
struct HashedKey {
  explicit HashedKey(std::string_view text) : key(text), hash(std::hash<std::string_view>{}(text)) {}
  std::string_view key;
  std::size_t hash;
};

// What is kept of one key, in one allocation with the bytes of the key. Its address is stable while the key is there.
struct Record {
  EntryPtr entry;
  Timestamp expires_at = Timestamp::max();    // max = never; here so that a get need not look into the entry
  mutable std::atomic<std::uint64_t> use{0};  // what the eviction notes; readers write it
  std::uint32_t key_bytes = 0;
  bool evictable = false;

  std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_bytes}; }
};

// Not thread-safe: const methods may run beside each other.
class RecordTable {
 public:
  RecordTable() = default;
  RecordTable(const RecordTable&) = delete;
  RecordTable& operator=(const RecordTable&) = delete;
  ~RecordTable() { Clear(); }

  // Null when absent.
  Record* Find(const HashedKey& key) const {
    if (slots_.empty()) return nullptr;
    for (std::size_t at = key.hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.record == nullptr) return nullptr;
      if (slot.hash == key.hash && slot.record->key() == key.key) return slot.record;
    }
  }
  // The key is not there yet.
  Record& Add(const HashedKey& key);
  // The key is there.
  void Remove(const HashedKey& key);
  void Clear();

  std::size_t size() const { return size_; }
  // Slots, used and free; a position for At.
  std::size_t capacity() const { return slots_.size(); }
  // Null when the slot is free.
  const Record* At(std::size_t position) const { return slots_[position].record; }

 private:
  struct Slot {
    std::size_t hash = 0;
    Record* record = nullptr;
  };

  std::size_t Position(const HashedKey& key) const;
  void Place(const Slot& slot);
  void Grow();

  std::vector<Slot> slots_;  // a power of two of them, at most 3/4 used
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace holdfast::storage
