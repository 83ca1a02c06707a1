// A cache in memory over a system of record in memory, both observed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "service/backends/memory/memory_backend.h"
#include "service/composition/tiered_backend.h"
#include "tests/unit/service/composition/observed_backend.h"

namespace holdfast::composition {

class TieredTest : public testing::Test {
 protected:
  explicit TieredTest(const TieredOptions& options = {})
      : cache_(std::make_shared<ObservedBackend>(std::shared_ptr(storage::MakeMemoryBackend(Small(), clock_)))),
        record_(std::make_shared<ObservedBackend>(std::shared_ptr(storage::MakeMemoryBackend({}, clock_)))),
        tiered_(std::make_shared<TieredBackend>(cache_, record_, options, clock_)) {
    tiered_->SetChangeListener(nullptr);
  }

  storage::OperationResult Run(const storage::Operation& operation, Deadline deadline = Deadline::Infinite()) {
    return storage::ExecuteOne(*tiered_, operation, deadline);
  }
  // The value, or the name of the error.
  std::string Get(const std::string& key, Deadline deadline = Deadline::Infinite()) {
    const storage::OperationResult result = Run(storage::Operation::Get(key), deadline);
    return result.status.ok() ? result.entry->value : std::string(ErrorCodeName(result.status.error().code()));
  }
  void Put(const std::string& key, const std::string& value) {
    ASSERT_TRUE(Run(storage::Operation::Put(key, value)).status.ok());
  }
  // As somebody whose writes this store only hears of.
  void PutElsewhere(const std::string& key, const std::string& value) {
    ASSERT_TRUE(storage::ExecuteOne(*record_, storage::Operation::Put(key, value), Deadline::Infinite()).status.ok());
  }
  void Flush() { ASSERT_TRUE(cache_->DeleteRange(storage::KeyRange::All(), Deadline::Infinite()).ok()); }

  ManualClock clock_;
  const std::shared_ptr<ObservedBackend> cache_;
  const std::shared_ptr<ObservedBackend> record_;
  const std::shared_ptr<TieredBackend> tiered_;

 private:
  static storage::MemoryOptions Small() {
    storage::MemoryOptions options;
    options.max_bytes = 1u << 20;
    options.eviction = storage::Eviction::kLru;
    return options;
  }
};

}  // namespace holdfast::composition
