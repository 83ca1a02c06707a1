// Decoded entries of keys that were read or written lately, in front of RocksDB: a get that finds its key here searches
// no memtable and no block and decodes nothing, and a write finds the entry that it replaces. Never older than the
// database: it belongs to this process, and every write of an entry goes through BeginWrite and EndWrite. From the
// first to the last of them the key is not here and nobody can bring it back, so that one reader cannot meet the new
// entry in the database and the next the old one here.
//
// Set-associative with second chance (CLOCK) in each set: bounded by construction, no list that all readers write to. A
// reader never waits: what another thread has locked at this moment is read from the database.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "service/storage/small_mutex.h"
#include "service/storage/types.h"

namespace holdfast::storage {

// Thread-safe.
class EntryCache {
 public:
  // What the smallest cache takes: one set of entries. An entry that does not fit into one is left to RocksDB's block
  // cache.
  static constexpr std::uint64_t SetBytes() { return kRoom + sizeof(Set); }

  // At most `bytes`, as far as malloc keeps to what is known of it. 0 = off.
  explicit EntryCache(std::uint64_t bytes);

  // Which writes a reader knew of when it began to look; only with that it may leave what it read.
  struct Ticket {
    std::uint64_t writes = 0;
    bool valid = false;
  };
  struct Found {
    EntryPtr entry;  // may have expired; null: ask the database
    Ticket ticket;
  };

  Found Find(std::string_view key);
  // What the database gave for a key after Find gave `ticket`; does nothing when the key may have been written since.
  void Fill(std::string_view key, const EntryPtr& entry, Ticket ticket);

  // A write of the key is about to begin: has the processor fetch its set meanwhile.
  void Announce(std::string_view key) const;
  // Before the write of a key may become visible. The caller holds the key's lock until after EndWrite. Gives what
  // stands in the database; may have expired; null: ask the database.
  EntryPtr BeginWrite(std::string_view key);
  // After it, or after it was given up: `entry` is what the database certainly holds now, null when nothing or when
  // that is not known.
  void EndWrite(std::string_view key, EntryPtr entry);

  // Look-ups that were answered here, of readers and writers.
  std::uint64_t hits() const;

 private:
  static constexpr std::size_t kWays = 12;
  // What a set has for entries.
  static constexpr std::size_t kRoom = 4096;

  struct Way {
    std::string key;
    EntryPtr entry;  // null while the key is being written: its place is kept
  };
  // The first cache line is all that a search looks at until it has found its key.
  struct alignas(64) Set {
    mutable SmallMutex mutex;
    std::uint32_t in_progress = 0;  // writes
    std::uint64_t writes = 0;       // begun and ended ones
    std::uint64_t hits = 0;
    std::uint16_t bytes = 0;  // sum of sizes
    std::uint16_t used = 0;   // a bit for each way that was found since the hand came by
    std::uint16_t hand = 0;
    std::array<std::uint16_t, kWays> tags{};   // 0: the way is free
    std::array<std::uint16_t, kWays> sizes{};  // what the key and its entry take
    std::array<Way, kWays> ways;
  };
  struct Place {
    Set& set;
    std::uint16_t tag;  // bits of the hash that did not choose the set, not 0
  };

  Place PlaceOf(std::string_view key) const;
  // kWays when it is not there.
  static std::size_t WayOf(const Place& place, std::string_view key);
  static void Drop(Set& set, std::size_t way);
  // Into the way that is the key's already, or into one that is free or made free when that is kWays. Others make room.
  static void Keep(const Place& place, std::size_t way, std::string_view key, EntryPtr entry);

  std::uint64_t count_ = 0;
  std::unique_ptr<Set[]> sets_;  // null when off
};

}  // namespace holdfast::storage
