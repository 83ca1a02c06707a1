// The changes of a RocksDB backend, read from its own write-ahead log and the archive of it: what was acknowledged is
// there, whenever the process ended. Needs RocksDbOptions::archived_log_size.
//
// A position names the next sequence number and the batch before it by its checksum: a database that was put back to an
// earlier state, or is another one, does not have that batch, and its changes are not taken for the next ones.
#pragma once

#include "service/backends/rocksdb/database.h"
#include "service/storage/change_history.h"

namespace holdfast::storage {

// Thread-safe.
class LogHistory {
 public:
  // Both outlive it.
  LogHistory(Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // As ChangeHistory.
  Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                          Deadline deadline) const;

 private:
  Database& database_;
  const Clock& clock_;
};

}  // namespace holdfast::storage
