// The one way into RocksDB's write-ahead log. Judges every failed write by how far it came, and shuts the gate when the
// log can no longer be trusted.
//
//   what happened                                     the caller hears        writes afterwards
//   refused before the log was touched                 kUnavailable            refused until reopened
//   the same, for want of space                        kResourceExhausted      resumed when there is space
//   the log's append failed for want of space: the     kResourceExhausted      resumed when there is space
//     record is incomplete and no replay applies it
//   anything else: a failed append, a failed fsync     kOutcomeUnknown         refused until reopened
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "service/backends/rocksdb/wal_monitor.h"

namespace holdfast::storage {

// Thread-safe.
class WriteGate {
 public:
  explicit WriteGate(std::shared_ptr<WalCounts> counts) : counts_(std::move(counts)) {}

  // Ok means applied, and synced when `sync`.
  Status Write(rocksdb::DB& db, rocksdb::WriteBatch& batch, bool sync);
  // Syncs what was written without, by one more small write with: a row in `family`. RocksDB's own SyncWAL does not go
  // through its write queue and aborts the process (Debian builds it with assertions) when it meets a log whose append
  // has just failed. Does nothing when there is nothing to sync.
  Status SyncLog(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family);
  // Likewise, whatever others are about: when it returns ok, all that was written before the call is synced.
  Status SyncAll(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family);
  // Called now and then: when the gate is shut for want of space, asks RocksDB whether there is some now.
  void TryResume(rocksdb::DB& db);

  // Makes table files part of the database, all of them or none; synced. kOutcomeUnknown: they may be part of it after
  // a restart; with any other error they are not.
  Status Ingest(rocksdb::DB& db, const std::vector<rocksdb::IngestExternalFileArg>& files);

  // RocksDB failed in the background (flush, compaction): shuts the gate before the next write is tried.
  void OnBackgroundError(const rocksdb::Status& status);

  // The error every write gets now; nullopt when the gate is open.
  std::optional<Error> Shut() const;

 private:
  enum class State { kOpen, kFull, kBroken };

  Status Judge(const rocksdb::Status& status, std::uint64_t appends, std::uint64_t failed_appends,
               std::uint64_t failed_syncs);
  void Close(State state, const std::string& reason);

  const std::shared_ptr<WalCounts> counts_;
  std::atomic<State> state_{State::kOpen};
  std::atomic<bool> unsynced_{false};
  mutable std::mutex mutex_;
  std::string reason_;  // guarded by mutex_
};

// Hands RocksDB's background errors to the gate.
std::shared_ptr<rocksdb::EventListener> ListenForErrors(std::shared_ptr<WriteGate> gate);

}  // namespace holdfast::storage
