// Hands every call on to another backend. What stands between a caller and a backend derives from it and overrides the
// calls it is about, so that a call added to Backend reaches the backend through every wrapper.
//
// As thread-safe, durable and atomic as the backend behind it.
#pragma once

#include <memory>
#include <utility>

#include "service/storage/backend.h"

namespace holdfast::storage {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(std::shared_ptr<Backend> backend) : backend_(std::move(backend)) {}

  std::string_view kind() const override { return backend_->kind(); }
  Capabilities capabilities() const override { return backend_->capabilities(); }
  const Limits& limits() const override { return backend_->limits(); }
  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    backend_->Execute(operations, results, deadline);
  }
  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override {
    return backend_->Transact(transaction, deadline);
  }
  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override {
    return backend_->Scan(request, deadline);
  }
  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override {
    return backend_->Count(range, deadline);
  }
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override {
    return backend_->DeleteRange(range, deadline);
  }
  Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline deadline) override {
    return backend_->OpenSnapshot(range, deadline);
  }
  Result<Version> ReserveVersions(std::uint64_t count) override { return backend_->ReserveVersions(count); }
  Status CheckHealth(Deadline deadline) override { return backend_->CheckHealth(deadline); }
  Statistics statistics() const override { return backend_->statistics(); }
  Maintenance* maintenance() override { return backend_->maintenance(); }
  void SetChangeListener(std::shared_ptr<ChangeListener> listener) override {
    backend_->SetChangeListener(std::move(listener));
  }
  [[nodiscard]] bool AwaitListener() override { return backend_->AwaitListener(); }
  Status Close() override { return backend_->Close(); }

 protected:
  Backend& backend() const { return *backend_; }

 private:
  const std::shared_ptr<Backend> backend_;
};

}  // namespace holdfast::storage
