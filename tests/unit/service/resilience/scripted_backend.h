// A backend in memory whose next calls end as the test says, and which counts what reaches it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "service/backends/memory/memory_backend.h"
#include "service/storage/forwarding_backend.h"

namespace holdfast::resilience {

// Thread-safe.
class ScriptedBackend final : public storage::ForwardingBackend {
 public:
  ScriptedBackend() : ForwardingBackend(std::shared_ptr(storage::MakeMemoryBackend({}))) {}

  // The next `times` calls do nothing and end like this.
  void FailNext(ErrorCode code, int times = 1) {
    std::lock_guard lock(mutex_);
    for (int i = 0; i < times; ++i) failures_.push_back(code);
  }
  int calls() const { return calls_; }

  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    if (const auto failure = Next()) return storage::FailAll(results, *failure);
    backend().Execute(operations, results, deadline);
  }
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    if (const auto failure = Next()) return *failure;
    return backend().Transact(transaction, deadline);
  }
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    if (const auto failure = Next()) return *failure;
    return backend().Scan(request, deadline);
  }

 private:
  std::optional<Error> Next() {
    ++calls_;
    std::lock_guard lock(mutex_);
    if (failures_.empty()) return std::nullopt;
    const ErrorCode code = failures_.front();
    failures_.pop_front();
    return Error(code, "as the test has it");
  }

  std::atomic<int> calls_{0};
  std::mutex mutex_;
  std::deque<ErrorCode> failures_;  // guarded by mutex_
};

}  // namespace holdfast::resilience
