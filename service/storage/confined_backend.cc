#include "service/storage/confined_backend.h"

#include <algorithm>

namespace holdfast::storage {
namespace {

class ConfinedBackend : public Backend {
 public:
  ConfinedBackend(std::shared_ptr<Backend> backend, KeySpace space, const Limits& limits)
      : backend_(std::move(backend)), space_(std::move(space)), limits_(limits) {}

  std::string_view kind() const override { return backend_->kind(); }
  Capabilities capabilities() const override { return backend_->capabilities(); }
  const Limits& limits() const override { return limits_; }

  void Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) override {
    const Status valid = ValidateBatch(operations.size(), limits_);
    if (!valid.ok()) return FailAll(results, valid.error());
    std::vector<Operation> wrapped;
    std::vector<std::size_t> positions;
    wrapped.reserve(operations.size());
    for (std::size_t i = 0; i < operations.size(); ++i) {
      results[i] = OperationResult{};
      results[i].status = Validate(operations[i], limits_);
      if (!results[i].status.ok()) continue;
      wrapped.push_back(operations[i]);
      space_.Wrap(wrapped.back());
      positions.push_back(i);
    }
    std::vector<OperationResult> found(wrapped.size());
    if (!wrapped.empty()) backend_->Execute(wrapped, found, deadline);
    for (std::size_t i = 0; i < positions.size(); ++i) results[positions[i]] = std::move(found[i]);
  }

  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Validate(transaction, limits_));
    Transaction wrapped = transaction;
    space_.Wrap(wrapped);
    return backend_->Transact(wrapped, deadline);
  }

  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override {
    ScanRequest wrapped = request;
    space_.Wrap(wrapped);
    HOLDFAST_ASSIGN_OR_RETURN(ScanPage page, backend_->Scan(wrapped, deadline));
    for (KeyedEntry& entry : page.entries) entry.key.erase(0, space_.prefix().size());
    return page;
  }

  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override {
    return backend_->Count(space_.Wrap(range), deadline);
  }
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override {
    return backend_->DeleteRange(space_.Wrap(range), deadline);
  }

  Status CheckHealth(Deadline deadline) override { return backend_->CheckHealth(deadline); }
  Statistics statistics() const override { return backend_->statistics(); }
  Maintenance* maintenance() override { return backend_->maintenance(); }
  void SetChangeListener(std::shared_ptr<ChangeListener>) override { std::abort(); }
  void AwaitListener() override { backend_->AwaitListener(); }
  Status Close() override { return {}; }

 private:
  const std::shared_ptr<Backend> backend_;
  const KeySpace space_;
  const Limits limits_;
};

}  // namespace

std::shared_ptr<Backend> Confine(std::shared_ptr<Backend> backend, KeySpace space, const Limits& limits) {
  return std::make_shared<ConfinedBackend>(std::move(backend), std::move(space), limits);
}

}  // namespace holdfast::storage
