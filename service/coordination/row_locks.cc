#include "service/coordination/locks.h"

namespace holdfast::coordination {
namespace {

class RowLocks final : public Locks {
 public:
  explicit RowLocks(const Clock& clock) : clock_(clock) {}

  Tried TryAcquire(const storage::TenantView& tenant, std::string_view name, std::string_view owner, const Lease& lease,
                   std::chrono::microseconds ttl, Deadline deadline) override {
    return coordination::TryAcquire(*tenant.rooms, name, owner, lease, ttl, clock_, deadline);
  }
  Result<std::optional<Grant>> Extend(const storage::TenantView& tenant, std::string_view name, std::string_view lease,
                                      std::chrono::microseconds ttl, Deadline deadline) override {
    return coordination::Extend(*tenant.rooms, name, lease, ttl, deadline);
  }
  Result<bool> Release(const storage::TenantView& tenant, std::string_view name, std::string_view lease,
                       Deadline deadline) override {
    return coordination::Release(*tenant.rooms, name, lease, deadline);
  }
  Result<std::optional<Holder>> FindHolder(const storage::TenantView& tenant, std::string_view name,
                                           Deadline deadline) override {
    return coordination::FindHolder(*tenant.rooms, name, deadline);
  }

 private:
  const Clock& clock_;
};

}  // namespace

std::shared_ptr<Locks> MakeRowLocks(const Clock& clock) {
  return std::make_shared<RowLocks>(clock);
}

}  // namespace holdfast::coordination
