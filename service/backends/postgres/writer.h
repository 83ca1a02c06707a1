// The writing half of the PostgreSQL backend.
//
// A call reads what stands under the keys that need it, decides with the rules all backends share (decision.h), and
// hands the outcome to write_entries, which locks the keys, looks whether what was read still stands, and writes: one
// round trip for puts and deletes without precondition, two for everything else. Keys that somebody else changed
// meanwhile are read and decided again; the third time under their locks, so that nobody can come in between.
//
// Writers of one key in this process pass one at a time, so that the listener hears of its changes in their order.
#pragma once

#include "service/backends/postgres/change_log.h"
#include "service/backends/postgres/reader.h"
#include "service/backends/postgres/write_call.h"
#include "service/storage/key_locks.h"

namespace holdfast::storage::postgres {

// Thread-safe.
class Writer {
 public:
  Writer(ConnectionPool& pool, const Statements& statements, const Reader& reader, ChangeLog& changes,
         const PostgresOptions& options, const Clock* clock)
      : pool_(pool), statements_(statements), reader_(reader), changes_(changes), options_(options), clock_(clock) {}

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline);
  // Returns when the writers of now have told the listener.
  void AwaitWriters() { locks_.AwaitHolders(); }
  // Removes some of what has expired, unless another instance is at it; returns how many entries that were and whether
  // there may be more.
  struct Swept {
    std::uint64_t removed = 0;
    bool more = false;
  };
  Result<Swept> Sweep(Deadline deadline);

 private:
  struct KeyPlan;
  struct Call;
  class LockedTransaction;

  void ExecuteChunk(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline);
  // One time through: read, decide, write. Plans that are answered are done. The error is that of all the others.
  Status Attempt(Call& call, Connection& connection, bool locked);
  Result<std::optional<TransactionResult>> AttemptTransaction(const Transaction& transaction,
                                                              std::span<const std::string_view> keys,
                                                              const std::vector<std::uint32_t>& stripes,
                                                              Connection& connection, bool locked, Deadline deadline);
  // Whether the same may be tried again after this failure: others were in the way, or had taken us for gone.
  bool MayRetry(const std::optional<StatementFailure>& failure, std::int64_t instance, Deadline deadline);
  Result<ConnectionPool::Lease> Connect(Deadline deadline);

  ConnectionPool& pool_;
  const Statements& statements_;
  const Reader& reader_;
  ChangeLog& changes_;
  const PostgresOptions& options_;
  const Clock* clock_;
  KeyLocks locks_;
};

}  // namespace holdfast::storage::postgres
