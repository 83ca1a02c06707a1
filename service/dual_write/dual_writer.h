// Writes while a store moves: to the source, which decides, then copied to the target before they are acknowledged.
#pragma once

#include <atomic>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/mirror.h"
#include "service/dual_write/phase.h"
#include "service/storage/backend.h"
#include "service/storage/key_locks.h"

namespace holdfast::dual_write {

// Thread-safe.
class DualWriter {
 public:
  // All outlive it. `instance`: whose intents.
  DualWriter(storage::Backend& source, storage::Backend& target, const Rows& rows, const Mirror& mirror,
             storage::KeyLocks& locks, std::string instance)
      : source_(source), target_(target), rows_(rows), mirror_(mirror), locks_(locks), instance_(std::move(instance)) {}

  // As Backend::Execute and Transact of what is valid, for the migration `id` in `phase`, which writes both. In a
  // strict phase nothing is done when the target takes no intents, and what the source did is kOutcomeUnknown when it
  // cannot be copied. Otherwise it is acknowledged and counted as missed. Once reads are switched no answer tells what
  // the target does not have.
  void Execute(Phase phase, const std::string& id, std::span<const storage::Operation> operations,
               std::span<storage::OperationResult> results, Deadline deadline);
  Result<storage::TransactionResult> Transact(Phase phase, const std::string& id,
                                              const storage::Transaction& transaction, Deadline deadline);

  std::uint64_t missed() const { return missed_.load(std::memory_order_relaxed); }

 private:
  std::vector<Task> TasksOf(const std::set<std::string>& keys, const std::set<std::string>& written, bool strict) const;
  Status PutIntents(std::span<const Task> tasks, Deadline deadline) const;
  void Missed(std::size_t writes) { missed_.fetch_add(writes, std::memory_order_relaxed); }

  storage::Backend& source_;
  storage::Backend& target_;
  const Rows& rows_;
  const Mirror& mirror_;
  storage::KeyLocks& locks_;
  const std::string instance_;
  std::atomic<std::uint64_t> missed_{0};
};

}  // namespace holdfast::dual_write
