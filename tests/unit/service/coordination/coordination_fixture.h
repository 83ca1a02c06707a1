// A tenant of a store on each backend, for tests of what is built on them.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "service/execution/task_pool.h"
#include "service/storage/key_space.h"
#include "service/storage/tenant_view.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::coordination {

class CoordinationTest : public testing::TestWithParam<storage::conformance::BackendUnderTest> {
 protected:
  void SetUp() override {
    storage::Limits limits;
    limits.max_key_bytes += storage::kReservedKeyBytes;
    harness_ = GetParam().make(limits);
    MakeTenants();
  }
  // Every change from now on is told to `listener`; the backend must not have been used yet.
  void Listen(std::shared_ptr<storage::ChangeListener> listener) {
    harness_->backend().SetChangeListener(std::move(listener));
  }
  // False where nothing survives; then the backend is a fresh one.
  bool Restart() {
    const bool survives = harness_->Reopen();
    if (!survives) {
      storage::Limits limits;
      limits.max_key_bytes += storage::kReservedKeyBytes;
      const Timestamp now = clock().Now();
      harness_ = GetParam().make(limits);
      clock().JumpTo(now);
    }
    MakeTenants();
    return survives;
  }

  const storage::TenantView& tenant(std::string_view name_space = storage::kDefaultNamespace) {
    return *tenants_.emplace_back(views_->Find(name_space));
  }
  storage::Backend& rooms() { return *tenant().rooms; }
  storage::Backend& keys() { return *tenant().keys; }
  storage::Backend& backend() { return harness_->backend(); }
  ManualClock& clock() { return harness_->clock(); }

  storage::OperationResult Put(const std::string& key, std::string value, storage::Expiry expiry = {}) {
    return storage::ExecuteOne(keys(), storage::Operation::Put(key, std::move(value), {}, expiry),
                               Deadline::Infinite());
  }
  storage::OperationResult Delete(const std::string& key) {
    return storage::ExecuteOne(keys(), storage::Operation::Delete(key), Deadline::Infinite());
  }

 private:
  void MakeTenants() {
    std::shared_ptr<storage::Backend> borrowed(std::shared_ptr<void>(), &harness_->backend());
    views_ = std::make_unique<storage::TenantViews>(borrowed, "main", storage::Limits{});
  }

  std::unique_ptr<storage::conformance::Harness> harness_;
  std::unique_ptr<storage::TenantViews> views_;
  std::vector<std::shared_ptr<const storage::TenantView>> tenants_;
};

inline auto OnEveryBackend() {
  return testing::Values(storage::conformance::MemoryUnderTest(), storage::conformance::RelaxedRocksDbUnderTest());
}
inline std::string BackendName(const testing::TestParamInfo<storage::conformance::BackendUnderTest>& info) {
  return info.param.name;
}

}  // namespace holdfast::coordination
