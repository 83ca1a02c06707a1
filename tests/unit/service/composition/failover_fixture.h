// A failover store over two backends in memory whose primary can be taken away, and what its tests ask of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/failover_backend.h"
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

class FailoverTest : public testing::Test {
 protected:
  using State = RemovableBackend::State;

  FailoverTest()
      : primary_(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))),
        secondary_(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))) {
    options_.probe_interval = std::chrono::milliseconds{5};
    options_.probe_timeout = std::chrono::milliseconds{300};  // a busy machine is no primary that hangs
    options_.successes = 3;
    options_.call_timeout = std::chrono::milliseconds{300};
    options_.copier.ask_interval = std::chrono::milliseconds{5};
    options_.copier.retry_pause = std::chrono::milliseconds{5};
  }
  ~FailoverTest() override { store_.reset(); }

  void Open(FailoverMode mode = FailoverMode::kReadOnly) {
    store_.reset();
    options_.mode = mode;
    store_ = std::make_shared<FailoverBackend>(primary_, secondary_, options_, clock_);
    store_->SetChangeListener(nullptr);
    store_->Start();
  }
  // The same, and everything is copied.
  void OpenCopied(FailoverMode mode = FailoverMode::kReadOnly) {
    Open(mode);
    AwaitCopied();
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const Deadline patience = Deadline::After(std::chrono::seconds{20});
    while (!condition()) {
      if (patience.Expired()) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void AwaitCopied() {
    ASSERT_TRUE(Eventually([this] {
      const storage::FailoverStatus now = store_->status();
      return now.copy_lag.has_value() && now.pending_keys == 0 && !now.comparing;
    }));
  }
  void AwaitServing(const std::string& serving) {
    ASSERT_TRUE(Eventually([&] { return store_->status().serving == serving; })) << store_->status().reason;
  }
  void Lose(State how = State::kGone) {
    primary_->Set(how);
    AwaitServing("secondary");
  }
  void GiveBack() {
    primary_->Set(State::kThere);
    AwaitServing("primary");
  }

  storage::OperationResult Run(const storage::Operation& operation, Deadline deadline = Deadline::Infinite()) {
    return storage::ExecuteOne(*store_, operation, deadline);
  }
  static std::string CodeOf(const Status& status) {
    return status.ok() ? "ok" : std::string(ErrorCodeName(status.error().code()));
  }
  std::string Put(const std::string& key, const std::string& value) {
    return CodeOf(Run(storage::Operation::Put(key, value)).status);
  }
  // The value, or the name of the error.
  std::string Get(const std::string& key) {
    const storage::OperationResult result = Run(storage::Operation::Get(key));
    return result.status.ok() ? result.entry->value : CodeOf(result.status);
  }
  // As somebody whose writes this store only hears of.
  void PutElsewhere(const std::string& key, const std::string& value) {
    const storage::OperationResult result =
        storage::ExecuteOne(*primary_, storage::Operation::Put(key, value), Deadline::Infinite());
    ASSERT_TRUE(result.status.ok()) << result.status.error().ToString();
  }
  std::vector<storage::FailoverConflict> Conflicts() {
    auto found = store_->Conflicts(storage::KeyRange::All(), 100, Deadline::Infinite());
    EXPECT_TRUE(found.ok());
    return found.ok() ? std::move(found->conflicts) : std::vector<storage::FailoverConflict>{};
  }

  ManualClock clock_;
  FailoverOptions options_;
  const std::shared_ptr<RemovableBackend> primary_;
  const std::shared_ptr<RemovableBackend> secondary_;
  std::shared_ptr<FailoverBackend> store_;
};

}  // namespace holdfast::composition
