// A store that writes behind, over a system of record in memory that can be taken away, with a queue in memory that
// outlives the store as a disk would.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/write_behind_backend.h"
#include "tests/unit/service/composition/removable_backend.h"
#include "tests/waiting/eventually.h"

namespace holdfast::composition {

// One that others write to as well, which therefore reserves no versions.
class SharedRecord final : public storage::ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  storage::Capabilities capabilities() const override {
    storage::Capabilities capabilities = backend().capabilities();
    capabilities.reserves_versions = false;
    return capabilities;
  }
};

// The values that a key came to have, in their order.
class ValuesHeard final : public storage::ChangeListener {
 public:
  void OnChange(std::string_view key, const storage::EntryPtr& /*before*/, const storage::EntryPtr& after,
                storage::ChangeCause /*cause*/) noexcept override {
    const std::lock_guard lock(mutex_);
    heard_.push_back(std::string(key) + "=" + (after ? after->value : "-"));
  }
  std::vector<std::string> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> heard_;  // guarded by mutex_
};

class WriteBehindTest : public testing::Test {
 protected:
  using State = RemovableBackend::State;

  WriteBehindTest()
      : entries_(storage::MakeMemoryBackend({}, clock_)),
        record_(std::make_shared<RemovableBackend>(entries_)),
        queue_(std::make_shared<RemovableBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))) {
    entries_->SetChangeListener(heard_);
    options_.drain.retry_min = std::chrono::milliseconds{1};
    options_.drain.retry_max = std::chrono::milliseconds{5};
    options_.drain.call_timeout = std::chrono::seconds{1};
    options_.lookup_timeout = std::chrono::milliseconds{500};
  }
  ~WriteBehindTest() override { store_.reset(); }

  std::shared_ptr<WriteBehindBackend> Made(bool shared, const std::shared_ptr<storage::Backend>& queue) {
    const std::shared_ptr<storage::Backend> record = shared ? std::make_shared<SharedRecord>(record_) : nullptr;
    auto store = std::make_shared<WriteBehindBackend>(shared ? record : record_, queue, options_, clock_);
    EXPECT_TRUE(store->Start(Deadline::Infinite()).ok());
    return store;
  }
  // As after kill -9: nothing is brought first.
  void Open(bool shared = false) {
    store_.reset();
    store_ = Made(shared, queue_);
  }
  void AwaitDrained() {
    ASSERT_TRUE(Eventually([this] { return store_->status().entries == 0; })) << store_->status().reason;
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
  static std::string ValueIn(storage::Backend& backend, const std::string& key) {
    const auto result = storage::ExecuteOne(backend, storage::Operation::Get(key), Deadline::Infinite());
    return result.status.ok() ? result.entry->value : CodeOf(result.status);
  }
  std::string Get(const std::string& key) { return ValueIn(*store_, key); }
  std::string Recorded(const std::string& key) { return ValueIn(*entries_, key); }
  // As another instance does.
  storage::Version PutElsewhere(const std::string& key, const std::string& value) {
    return storage::ExecuteOne(*entries_, storage::Operation::Put(key, value), Deadline::Infinite()).version;
  }
  static std::vector<std::string> ConflictsOf(const WriteBehindBackend& store) {
    std::vector<std::string> values;
    const auto found = store.Conflicts(storage::KeyRange::All(), 1000, Deadline::Infinite());
    EXPECT_TRUE(found.ok());
    if (!found.ok()) return values;
    for (const auto& conflict : found->conflicts) {
      values.push_back(conflict.key + "=" + (conflict.entry ? conflict.entry->value : "-"));
    }
    return values;
  }
  std::vector<std::string> Conflicts() { return ConflictsOf(*store_); }

  ManualClock clock_;
  WriteBehindOptions options_;
  const std::shared_ptr<ValuesHeard> heard_ = std::make_shared<ValuesHeard>();
  const std::shared_ptr<storage::Backend> entries_;
  const std::shared_ptr<RemovableBackend> record_;
  const std::shared_ptr<RemovableBackend> queue_;
  std::shared_ptr<WriteBehindBackend> store_;
};

}  // namespace holdfast::composition
