// The reading half of the PostgreSQL backend: one statement for any number of keys, pages by key.
#pragma once

#include "service/backends/postgres/array_codec.h"
#include "service/backends/postgres/connection_pool.h"
#include "service/backends/postgres/statements.h"
#include "service/storage/backend.h"

namespace holdfast::storage::postgres {

// A row as it stands in the table, expired or not.
struct StoredRows {
  Timestamp at;                   // the time of the reading
  std::vector<EntryPtr> entries;  // in the order of the keys; null = no row
};

// The clock that decides about expiry: the given one, or the server's.
class ServerClock {
 public:
  explicit ServerClock(const Clock* clock) : clock_(clock) {}
  // A parameter: null means the server's own.
  const char* Parameter() {
    if (clock_ == nullptr) return nullptr;
    text_ = std::to_string(clock_->Now().time_since_epoch().count());
    return text_.c_str();
  }

 private:
  const Clock* clock_;
  std::string text_;
};

// Thread-safe.
class Reader {
 public:
  // `clock` null: the server's.
  Reader(ConnectionPool& pool, const Statements& statements, const PostgresOptions& options, const Clock* clock)
      : pool_(pool), statements_(statements), options_(options), clock_(clock) {}

  // The gets at `places`, which are valid; the error is that of all of them and leaves their results as they were.
  Status Gets(std::span<const Operation> operations, std::span<OperationResult> results,
              std::span<const std::size_t> places, Deadline deadline) const;
  Result<StoredRows> Read(Connection& connection, std::span<const std::string_view> keys, Deadline deadline) const;
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) const;
  // Over this connection, in the transaction that it may be in; the filter is passed over.
  Result<ScanPage> Scan(Connection& connection, const ScanRequest& request, Deadline deadline) const;
  // Pages of one moment: a repeatable-read transaction, and with it a connection, until they are let go.
  Result<SnapshotPages> OpenSnapshot(Deadline deadline) const;
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) const;

 private:
  // Leaves out what the server finds not to match.
  Result<ScanPage> FilteredScan(const ScanRequest& request, Deadline deadline) const;

  ConnectionPool& pool_;
  const Statements& statements_;
  const PostgresOptions& options_;
  const Clock* clock_;
};

pqxx::binarystring Bound(std::string_view bytes);
pqxx::binarystring Bound(ArrayParameter& array);

}  // namespace holdfast::storage::postgres
