// A flat hash table of records: open addressing with linear probing, 8 bytes a slot, so that a look-up touches one line
// of the table and one of the record. Chains of nodes, as std::unordered_map has them, spent three quarters of a get
// waiting for memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "service/backends/memory/kept_entry.h"
#include "service/backends/memory/record_pool.h"
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
  EntryPtr entry;                             // as `packed` says
  Timestamp expires_at = Timestamp::max();    // max = never; here so that a get need not look into the entry
  mutable std::atomic<std::uint64_t> use{0};  // what the eviction notes; readers write it
  std::uint32_t key_bytes = 0;
  std::uint32_t candidate : 31 = kNoCandidate;  // its place among those that may be evicted
  std::uint32_t packed : 1 = 0;                 // here, for a record with a short key to stay one line

  static constexpr std::uint32_t kNoCandidate = ~std::uint32_t{0} >> 1;

  KeptEntry Kept() const { return {entry, packed != 0}; }
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
    const std::uint64_t tag = TagOf(key.hash);
    for (std::size_t at = key.hash & mask_;; at = (at + 1) & mask_) {
      const std::uint64_t slot = slots_[at];
      if (slot == 0) return nullptr;
      if ((slot & kTagBits) == tag && RecordOf(slot)->key() == key.key) return RecordOf(slot);
    }
  }
  // The key is not there yet.
  Record& Add(const HashedKey& key);
  // The key is there.
  void Remove(const HashedKey& key);
  void Clear();

  std::size_t size() const { return size_; }

 private:
  // A slot is 0 or a pointer, whose upper 16 bits, which no address of a process has on the 64-bit machines of today,
  // are bits of the hash: other keys are told apart without touching their records.
  static constexpr std::uint64_t kTagBits = std::uint64_t{0xffff} << 48;
  static std::uint64_t TagOf(std::size_t hash) { return hash & kTagBits; }
  static Record* RecordOf(std::uint64_t slot) { return reinterpret_cast<Record*>(slot & ~kTagBits); }

  Record* Make(std::string_view key);
  void Free(Record* record);
  std::size_t Position(const HashedKey& key) const;
  void Place(std::size_t hash, std::uint64_t slot);
  void Grow();

  std::vector<std::uint64_t> slots_;  // a power of two of them, at most 7/8 used
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  RecordPool pool_;
};

}  // namespace holdfast::storage
