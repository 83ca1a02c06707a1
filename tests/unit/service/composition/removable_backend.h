// A backend that a test can take away, and patience for what follows from it.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "service/storage/forwarding_backend.h"

namespace holdfast::composition {

// A backend that a test can take away: every call ends as a server that is gone, or that hangs, ends it. What is told
// to the listener is told all the same.
class RemovableBackend final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  enum class State { kThere, kGone, kHangs };
  void Set(State state) { state_ = state; }
  // So many calls that write end well, then it is gone.
  void GoneBehind(int writes) { left_ = writes; }
  void ForgetPreconditions() { forgets_ = true; }

  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override {
    const bool writes = storage::IsWrite(operations.front().kind);
    if (const Status status = Pass(deadline, writes); !status.ok()) return storage::FailAll(results, status.error());
    if (!forgets_) return backend().Execute(operations, results, deadline);
    std::vector<storage::Operation> bare(operations.begin(), operations.end());
    for (storage::Operation& operation : bare) operation.precondition = {};
    backend().Execute(bare, results, deadline);
  }
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Pass(deadline, true));
    return backend().Transact(transaction, deadline);
  }
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Pass(deadline, false));
    return backend().Scan(request, deadline);
  }
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Pass(deadline, false));
    return backend().Count(range, deadline);
  }
  Status CheckHealth(Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Pass(deadline, false));
    return backend().CheckHealth(deadline);
  }

 private:
  Status Pass(const Deadline& deadline, bool writes) {
    while (state_ == State::kHangs) {
      if (deadline.Expired()) return Error(ErrorCode::kDeadlineExceeded, "it hangs, as the test has it");
      std::this_thread::yield();
    }
    if (state_ == State::kThere && writes && left_ >= 0 && left_-- == 0) state_ = State::kGone;
    if (state_ == State::kGone) return Error(ErrorCode::kUnavailable, "it is gone, as the test has it");
    return {};
  }

  std::atomic<State> state_{State::kThere};
  std::atomic<int> left_{-1};
  std::atomic<bool> forgets_{false};
};

}  // namespace holdfast::composition
