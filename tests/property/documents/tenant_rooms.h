// The rooms of one tenant on a backend under test, as the service would give them.
#pragma once

#include <memory>

#include "service/storage/tenant_view.h"
#include "tests/conformance/backend_under_test.h"

namespace holdfast::documents {

class TenantRooms {
 public:
  explicit TenantRooms(const storage::conformance::BackendUnderTest& backend)
      : harness_(backend.make(storage::BackendLimits({}))) {
    Open();
  }

  storage::conformance::Harness& harness() { return *harness_; }
  const std::shared_ptr<storage::Backend>& rooms() const { return view_->rooms; }
  const std::shared_ptr<storage::TenantViews>& tenants() const { return tenants_; }
  std::shared_ptr<storage::Backend> backend() const { return backend_; }
  // As after a crash: false where nothing survives.
  bool Reopen() {
    const bool survived = harness_->Reopen();
    Open();
    return survived;
  }

 private:
  void Open() {
    backend_ = std::shared_ptr<storage::Backend>(&harness_->backend(), [](auto*) {});
    tenants_ = std::make_shared<storage::TenantViews>(backend_, "main", storage::Limits{});
    view_ = tenants_->Find(storage::kDefaultNamespace);
  }

  std::unique_ptr<storage::conformance::Harness> harness_;
  std::shared_ptr<storage::Backend> backend_;
  std::shared_ptr<storage::TenantViews> tenants_;
  std::shared_ptr<const storage::TenantView> view_;
};

}  // namespace holdfast::documents
