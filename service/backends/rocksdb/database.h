// An open RocksDB directory of ours: three column families and the rows that say so.
//
//   default   key -> entry (entry_codec.h)
//   expiry    time, key -> nothing; one row for every entry that expires, written in the entry's batch
//   holdfast  "format", "owner", "version_bound", "health", "sync", "loaded"
//
// The folder `loading` beside its files holds table files that are not part of it yet (loader.h).
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/result/result.h"
#include "service/backends/rocksdb/block_cache_counter.h"
#include "service/backends/rocksdb/expiry_filter.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/backends/rocksdb/write_gate.h"

namespace holdfast::storage {

inline constexpr char kVersionBoundRow[] = "version_bound";
inline constexpr char kHealthRow[] = "health";
// Written before the first load of a process: from there on the log does not hold every change.
inline constexpr char kLoadedRow[] = "loaded";

// Thread-safe as RocksDB is. Members are constant from OpenDatabase to Close.
struct Database {
  std::unique_ptr<rocksdb::Env> env;  // outlives db
  std::shared_ptr<WriteGate> gate;
  std::shared_ptr<SweptUntil> swept_until;
  std::shared_ptr<BlockCacheCounter> block_cache;
  std::shared_ptr<std::atomic<std::uint64_t>> compactions;
  std::shared_ptr<std::atomic<std::uint64_t>> dropped_by_compaction;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::ColumnFamilyHandle* entries = nullptr;
  rocksdb::ColumnFamilyHandle* expiry = nullptr;
  rocksdb::ColumnFamilyHandle* holdfast = nullptr;

  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // Syncs the log and releases the directory. Nobody uses the database any more. Idempotent.
  Status Close();
};

// Until no other process has the directory open, for options.lock_wait at most; whoever opens it then may still be
// second. Nothing happens in a directory that holds no database.
void WaitUntilFree(const RocksDbOptions& options, rocksdb::FileSystem& file_system, const std::function<bool()>& stop);

// Errors as OpenRocksDbBackend. The directory is not changed unless it is ours, new or empty.
Result<std::unique_ptr<Database>> OpenDatabase(const RocksDbOptions& options, const Clock& clock,
                                               std::shared_ptr<rocksdb::FileSystem> file_system);

}  // namespace holdfast::storage
