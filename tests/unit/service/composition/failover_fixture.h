// A failover store over two backends in memory whose primary can be taken away, and what its tests ask of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/failover_backend.h"
#include "tests/unit/service/composition/removable_backend.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {

class FailoverTest : public testing::Test {
 protected:
  using State = RemovableBackend::State;

  FailoverTest()
      : primary_(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))),
        secondary_(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))) {
    options_.probe_interval = std::chrono::milliseconds{5};
    options_.probe_timeout = std::chrono::seconds{1};  // a busy machine is no primary that hangs
    options_.successes = 3;
    options_.call_timeout = std::chrono::seconds{1};
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
