// An open RocksDB directory of ours: three column families and the rows that say so.
//
//   default   key -> entry (entry_codec.h)
//   expiry    time, key -> nothing; one row for every entry that expires, written in the entry's batch
//   holdfast  "format", "owner", "version_bound", "health", "sync"
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result/result.h"
#include "service/backends/rocksdb/block_cache_counter.h"
#include "service/backends/rocksdb/expiry_filter.h"
#include "service/backends/rocksdb/rocksdb_backend.h"
#include "service/backends/rocksdb/write_gate.h"

namespace holdfast::storage {

inline constexpr char kVersionBoundRow[] = "version_bound";
inline constexpr char kHealthRow[] = "health";

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

// Errors as OpenRocksDbBackend. The directory is not changed unless it is ours, new or empty.
Result<std::unique_ptr<Database>> OpenDatabase(const RocksDbOptions& options, const Clock& clock,
                                               std::shared_ptr<rocksdb::FileSystem> file_system);

}  // namespace holdfast::storage
