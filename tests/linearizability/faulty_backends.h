// Backends with a bug put in, over a sound one: what the checker must catch, or its silence means nothing.
#pragma once

#include <map>
#include <mutex>
#include <thread>

#include "service/storage/forwarding_backend.h"

namespace holdfast::linearizability {

// Breaks single operations: One says how.
class FaultyOperations : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) final {
    for (std::size_t i = 0; i < operations.size(); ++i) results[i] = One(operations[i], deadline);
  }

 private:
  virtual storage::OperationResult One(const storage::Operation& operation, Deadline deadline) = 0;
};

// Looks at the precondition first and writes afterwards: between the two somebody else's write is lost.
class LostUpdates final : public FaultyOperations {
 public:
  using FaultyOperations::FaultyOperations;

 private:
  storage::OperationResult One(const storage::Operation& operation, Deadline deadline) override {
    if (operation.kind != storage::OperationKind::kPut) return ExecuteOne(backend(), operation, deadline);
    storage::Operation look = storage::Operation::Get(operation.key);
    look.precondition = operation.precondition;
    storage::OperationResult looked = ExecuteOne(backend(), look, deadline);
    if (!looked.status.ok() && looked.status.error().code() != ErrorCode::kNotFound) return looked;
    std::this_thread::yield();
    storage::Operation unchecked = operation;
    unchecked.precondition = storage::Precondition::None();
    return ExecuteOne(backend(), unchecked, deadline);
  }
};

// Answers some reads with what it has read before, as a cache does that nobody invalidates.
class StaleReads final : public FaultyOperations {
 public:
  using FaultyOperations::FaultyOperations;

 private:
  storage::OperationResult One(const storage::Operation& operation, Deadline deadline) override {
    if (operation.kind != storage::OperationKind::kGet) return ExecuteOne(backend(), operation, deadline);
    const std::lock_guard lock(mutex_);
    auto& [uses, cached] = cache_[operation.key];
    if (uses++ % 8 == 0) cached = ExecuteOne(backend(), operation, deadline);
    return cached;
  }

  std::mutex mutex_;
  std::map<std::string, std::pair<int, storage::OperationResult>> cache_;
};

// Judges a transaction's conditions and then runs its operations one by one.
class TornTransactions final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    storage::Transaction look;
    look.conditions = transaction.conditions;
    auto result = backend().Transact(look, deadline);
    if (!result.ok()) return result;
    for (const auto& operation : result->conditions_held ? transaction.then : transaction.otherwise) {
      std::this_thread::yield();
      result->results.push_back(ExecuteOne(backend(), operation, deadline));
    }
    return result;
  }
};

}  // namespace holdfast::linearizability
