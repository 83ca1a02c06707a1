// Backends with a bug put in, over a sound one: what the checker must catch, or its silence means nothing.
#pragma once

#include <map>
#include <mutex>
#include <thread>

#include "service/storage/backend.h"

namespace holdfast::linearizability {

// Passes everything on; the bugs override.
class ForwardingBackend : public storage::Backend {
 public:
  explicit ForwardingBackend(storage::Backend& backend) : backend_(backend) {}

  std::string_view kind() const override { return backend_.kind(); }
  storage::Capabilities capabilities() const override { return backend_.capabilities(); }
  const storage::Limits& limits() const override { return backend_.limits(); }
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    for (std::size_t i = 0; i < operations.size(); ++i) results[i] = One(operations[i], deadline);
  }
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    return backend_.Transact(transaction, deadline);
  }
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    return backend_.Scan(request, deadline);
  }
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override {
    return backend_.Count(range, deadline);
  }
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override {
    return backend_.DeleteRange(range, deadline);
  }
  Status CheckHealth(Deadline deadline) override { return backend_.CheckHealth(deadline); }
  storage::Statistics statistics() const override { return backend_.statistics(); }
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override {
    backend_.SetChangeListener(std::move(listener));
  }
  Status Close() override { return backend_.Close(); }

 protected:
  virtual storage::OperationResult One(const storage::Operation& operation, Deadline deadline) {
    return ExecuteOne(backend_, operation, deadline);
  }

  storage::Backend& backend_;
};

// Looks at the precondition first and writes afterwards: between the two somebody else's write is lost.
class LostUpdates : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

 private:
  storage::OperationResult One(const storage::Operation& operation, Deadline deadline) override {
    if (operation.kind != storage::OperationKind::kPut) return ExecuteOne(backend_, operation, deadline);
    storage::Operation look = storage::Operation::Get(operation.key);
    look.precondition = operation.precondition;
    storage::OperationResult looked = ExecuteOne(backend_, look, deadline);
    if (!looked.status.ok() && looked.status.error().code() != ErrorCode::kNotFound) return looked;
    std::this_thread::yield();
    storage::Operation unchecked = operation;
    unchecked.precondition = storage::Precondition::None();
    return ExecuteOne(backend_, unchecked, deadline);
  }
};

// Answers some reads with what it has read before, as a cache does that nobody invalidates.
class StaleReads : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

 private:
  storage::OperationResult One(const storage::Operation& operation, Deadline deadline) override {
    if (operation.kind != storage::OperationKind::kGet) return ExecuteOne(backend_, operation, deadline);
    const std::lock_guard lock(mutex_);
    auto& [uses, cached] = cache_[operation.key];
    if (uses++ % 8 == 0) cached = ExecuteOne(backend_, operation, deadline);
    return cached;
  }

  std::mutex mutex_;
  std::map<std::string, std::pair<int, storage::OperationResult>> cache_;
};

// Judges a transaction's conditions and then runs its operations one by one.
class TornTransactions : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;

  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    storage::Transaction look;
    look.conditions = transaction.conditions;
    auto result = backend_.Transact(look, deadline);
    if (!result.ok()) return result;
    for (const auto& operation : result->conditions_held ? transaction.then : transaction.otherwise) {
      std::this_thread::yield();
      result->results.push_back(ExecuteOne(backend_, operation, deadline));
    }
    return result;
  }
};

}  // namespace holdfast::linearizability
