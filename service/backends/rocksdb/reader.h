// The reading half of the RocksDB backend: single keys, through the cache of entries, pages, counts. Waits for no
// writer; sees only what has been written and, where the durability asks for it, synced.
#pragma once

#include <optional>
#include <span>

#include "service/backends/rocksdb/database.h"
#include "service/backends/rocksdb/entry_cache.h"

namespace holdfast::storage {

// What stands under a key on disk.
struct StoredEntry {
  EntryPtr entry;  // null when nothing does; may have expired
  Status status;   // kCorruption, kUnavailable: then entry is null
};

// Thread-safe.
class Reader {
 public:
  Reader(Database& database, EntryCache& cache, const Limits& limits, const Clock& clock)
      : database_(database), cache_(cache), limits_(limits), clock_(clock) {}

  StoredEntry Read(std::string_view key) const;
  // In the order of the keys.
  std::vector<StoredEntry> Read(std::span<const std::string_view> keys) const;

  // The same past the cache, for whoever has asked it.
  StoredEntry ReadDatabase(std::string_view key) const;
  std::vector<StoredEntry> ReadDatabase(std::span<const std::string_view> keys) const;
  // Many keys that rise and are near each other, in one walk over what stands there; nullopt: they are not near, or it
  // could not be read.
  std::optional<std::vector<StoredEntry>> ReadInOrder(std::span<const std::string_view> keys) const;

  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) const;
  // As the database was when `snapshot` was taken, without keeping in the cache of blocks what is read once.
  Result<ScanPage> ScanSnapshot(const ScanRequest& request, const rocksdb::Snapshot* snapshot, Deadline deadline) const;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) const;
  // The first live keys of the range behind `after`, at most `most`.
  Result<std::vector<std::string>> LiveKeys(const KeyRange& range, const std::optional<std::string>& after,
                                            std::size_t most, Deadline deadline) const;

 private:
  Result<ScanPage> ReadPage(const ScanRequest& request, const rocksdb::Snapshot* snapshot, Deadline deadline) const;

  Database& database_;
  EntryCache& cache_;
  const Limits& limits_;
  const Clock& clock_;
};

}  // namespace holdfast::storage
