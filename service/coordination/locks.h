// Where the locks of a store are kept. Two ways: as rows of the store's own backend (RowLocks, lock.h), or on a
// majority of independent servers (quorum_locks.h). Callers do not see which.
#pragma once

#include <memory>
#include <string_view>

#include "service/coordination/lock.h"
#include "service/storage/tenant_view.h"

namespace holdfast::coordination {

// Thread-safe. All of these block, and mean what the functions of the same name in lock.h mean.
class Locks {
 public:
  using Tried = Result<std::variant<Grant, Holder>>;

  virtual ~Locks() = default;
  virtual Tried TryAcquire(const storage::TenantView& tenant, std::string_view name, std::string_view owner,
                           const Lease& lease, std::chrono::microseconds ttl, Deadline deadline) = 0;
  virtual Result<std::optional<Grant>> Extend(const storage::TenantView& tenant, std::string_view name,
                                              std::string_view lease, std::chrono::microseconds ttl,
                                              Deadline deadline) = 0;
  virtual Result<bool> Release(const storage::TenantView& tenant, std::string_view name, std::string_view lease,
                               Deadline deadline) = 0;
  virtual Result<std::optional<Holder>> FindHolder(const storage::TenantView& tenant, std::string_view name,
                                                   Deadline deadline) = 0;
  // Longer ones are refused before anything is asked, with the name of the setting, if there is one.
  virtual std::chrono::microseconds max_ttl() const { return storage::kMaxTtl; }
};

// Rows of the store's own backend; the clock outlives it.
std::shared_ptr<Locks> MakeRowLocks(const Clock& clock);

}  // namespace holdfast::coordination
