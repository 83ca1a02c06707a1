// The writing half of the RocksDB backend. A call locks its keys, reads what stands there, from the cache of entries
// where it can, decides every operation in order and writes the outcome as one batch with one sync. Callers with other
// keys do the same at once and share RocksDB's log write.
#pragma once

#include "service/backends/rocksdb/database.h"
#include "service/backends/rocksdb/entry_cache.h"
#include "service/backends/rocksdb/reader.h"
#include "service/backends/rocksdb/version_source.h"
#include "service/backends/rocksdb/write_watches.h"
#include "service/storage/key_locks.h"

namespace holdfast::storage {

// Thread-safe.
class Writer {
 public:
  Writer(Database& database, EntryCache& cache, const Reader& reader, VersionSource& versions,
         const RocksDbOptions& options, const Clock& clock)
      : database_(database),
        cache_(cache),
        reader_(reader),
        versions_(versions),
        sync_(options.durability == Durability::kSync),
        stamps_(options.archived_log_size > 0),
        limits_(options.limits),
        compression_(options.compression),
        clock_(clock) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline);
  // Removes what expired at or before `now`; returns how many entries that were. Not synced: nobody was promised
  // anything, and a lost removal is done again.
  Result<std::uint64_t> Sweep(Timestamp now);
  // Before the first call of Execute and Transact; sweeps may have begun.
  void SetChangeListener(std::shared_ptr<ChangeListener> listener);
  // A change is told before the locks of its keys are released.
  void AwaitListener() { locks_.AwaitHolders(); }
  // Of the values that were compressed since the start: their bytes before and after.
  std::uint64_t value_bytes() const { return value_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t compressed_bytes() const { return compressed_bytes_.load(std::memory_order_relaxed); }
  // A small write as clients make them.
  Status WriteHealthRow();

  // For whoever writes entries otherwise (loader.h).
  KeyLocks& locks() { return locks_; }
  WriteWatches& watches() { return watches_; }
  ChangeListener* listener() const { return listener_.get(); }

 private:
  struct State;
  class States;

  // What stands under the keys that were not in the cache.
  void ReadMissing(States& states, Timestamp now) const;
  void Append(const State& state, rocksdb::WriteBatch& batch) const;
  // Writes the batch of the states that changed.
  Status Commit(States& states, rocksdb::WriteBatch& batch, bool sync);
  // Of every key that changed, after the batch was written and before its locks are released.
  void Tell(const States& states, ChangeCause cause) const;
  Result<std::uint64_t> SweepRows(const std::vector<std::string>& rows, Timestamp now);

  Database& database_;
  EntryCache& cache_;
  const Reader& reader_;
  VersionSource& versions_;
  const bool sync_;
  const bool stamps_;  // the log says of each batch when it was
  const Limits& limits_;
  const compression::Options& compression_;
  const Clock& clock_;
  KeyLocks locks_;
  WriteWatches watches_;
  mutable std::atomic<std::uint64_t> value_bytes_{0};
  mutable std::atomic<std::uint64_t> compressed_bytes_{0};

  // Rows of the expiry index before this time are gone; starting behind them spares walking over their deletions.
  std::mutex sweep_mutex_;
  std::optional<Timestamp> swept_until_;      // guarded by sweep_mutex_
  std::shared_ptr<ChangeListener> listener_;  // set under sweep_mutex_, constant once calls are made
};

}  // namespace holdfast::storage
