#include "service/storage/confined_backend.h"

#include <algorithm>

#include "service/storage/forwarding_backend.h"
#include "service/storage/snapshot.h"

namespace holdfast::storage {
namespace {

class ConfinedBackend final : public ForwardingBackend {
 public:
  ConfinedBackend(std::shared_ptr<Backend> backend, KeySpace space, const Limits& limits)
      : ForwardingBackend(std::move(backend)), space_(std::move(space)), limits_(limits) {}

  const Limits& limits() const override { return limits_; }
  Capabilities capabilities() const override {
    Capabilities capabilities = backend().capabilities();
    capabilities.snapshots = SnapshotConsistency::kPerEntry;
    return capabilities;
  }
  // Through Scan, which knows the space.
  Result<std::unique_ptr<Snapshot>> OpenSnapshot(const KeyRange& range, Deadline /*deadline*/) override {
    return MakeScanSnapshot(*this, range);
  }

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
    if (!wrapped.empty()) backend().Execute(wrapped, found, deadline);
    for (std::size_t i = 0; i < positions.size(); ++i) results[positions[i]] = std::move(found[i]);
  }

  Result<TransactionResult> Transact(const Transaction& transaction, Deadline deadline) override {
    HOLDFAST_RETURN_IF_ERROR(Validate(transaction, limits_));
    Transaction wrapped = transaction;
    space_.Wrap(wrapped);
    return backend().Transact(wrapped, deadline);
  }

  Result<ScanPage> Scan(const ScanRequest& request, Deadline deadline) override {
    ScanRequest wrapped = request;
    space_.Wrap(wrapped);
    HOLDFAST_ASSIGN_OR_RETURN(ScanPage page, backend().Scan(wrapped, deadline));
    for (KeyedEntry& entry : page.entries) entry.key.erase(0, space_.prefix().size());
    if (page.reached) page.reached->erase(0, space_.prefix().size());
    return page;
  }

  Result<std::uint64_t> Count(const KeyRange& range, Deadline deadline) override {
    return backend().Count(space_.Wrap(range), deadline);
  }
  Result<std::uint64_t> DeleteRange(const KeyRange& range, Deadline deadline) override {
    return backend().DeleteRange(space_.Wrap(range), deadline);
  }

  void SetChangeListener(std::shared_ptr<ChangeListener>) override { std::abort(); }
  Status Close() override { return {}; }

 private:
  const KeySpace space_;
  const Limits limits_;
};

}  // namespace

std::shared_ptr<Backend> Confine(std::shared_ptr<Backend> backend, KeySpace space, const Limits& limits) {
  return std::make_shared<ConfinedBackend>(std::move(backend), std::move(space), limits);
}

}  // namespace holdfast::storage
