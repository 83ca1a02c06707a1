// Decoded entries of keys that were read or written lately, in front of RocksDB: a get that finds its key here searches
// no memtable and no block and decodes nothing. Never older than the database: it belongs to this process, and every
// write of an entry goes through BeginWrite and EndWrite. From the first to the last of them the key is not here and
// nobody can bring it back, so that one reader cannot meet the new entry in the database and the next the old one here.
//
// Set-associative with second chance (CLOCK) in each set: bounded by construction, no list that all readers write to. A
// reader never waits: what another thread has locked at this moment is read from the database.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "service/storage/types.h"

namespace holdfast::storage {

// Thread-safe.
class EntryCache {
 public:
  // Entries larger than this, with their keys, are left to RocksDB's block cache.
  static constexpr std::uint64_t kSetBytes = 4096;

  // At most `bytes` for entries, and a twentieth of it for the table itself. 0 = off.
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

  // Before the write of a key may become visible. The caller holds the key's lock until after EndWrite.
  void BeginWrite(std::string_view key);
  // After it: `entry` is what the database certainly holds now, null when nothing or when that is not known.
  void EndWrite(std::string_view key, const EntryPtr& entry);

  // Look-ups that were answered here.
  std::uint64_t hits() const;

 private:
  static constexpr std::size_t kWays = 12;

  struct Cached {
    std::string key;
    EntryPtr entry;
  };
  struct Set {
    mutable std::mutex mutex;
    std::uint64_t writes = 0;  // begun and ended ones
    std::uint64_t hits = 0;
    std::uint32_t in_progress = 0;  // writes
    std::uint32_t bytes = 0;
    std::uint32_t used = 0;  // a bit for each way that was found since the hand came by
    std::uint32_t hand = 0;
    std::array<std::uint32_t, kWays> tags{};
    std::array<std::unique_ptr<Cached>, kWays> cached;
  };
  struct Place {
    Set& set;
    std::uint32_t tag;  // bits of the hash that did not choose the set
  };

  Place PlaceOf(std::string_view key) const;
  // kWays when it is not there.
  static std::size_t WayOf(const Place& place, std::string_view key);
  static void Drop(Set& set, std::size_t way);
  // Makes room; the key is not in the set.
  static void Insert(const Place& place, std::string_view key, const EntryPtr& entry);

  std::uint64_t mask_ = 0;
  std::unique_ptr<Set[]> sets_;  // null when off
};

}  // namespace holdfast::storage
