// Quotas that outlive the process: one row per namespace in the service's own room of the default store.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/storage/backend.h"
#include "service/storage/key_space.h"
#include "service/tenancy/usage_accounts.h"

namespace holdfast::tenancy {

// Thread-safe; every call but Find may wait for the backend. As durable as the default store.
class QuotaRecords {
 public:
  // `backend` is that of the store called `store`, unconfined.
  QuotaRecords(std::shared_ptr<storage::Backend> backend, std::string_view store,
               std::shared_ptr<UsageAccounts> accounts);

  // Puts every quota that is stored into force; once, before requests are let in. kCorruption when a row cannot be
  // read: to go on without it would lift a limit.
  Status Load(Deadline deadline);

  // What is stored comes into force, in the order it was stored. True when there was none before.
  Result<bool> Put(std::string_view name_space, const Quota& quota, Deadline deadline);
  // Usage is left alone: nothing a tenant keeps is deleted.
  Status Delete(std::string_view name_space, Deadline deadline);

  struct State {
    Quota quota;
    Amount usage;
    bool counted = true;  // usage is all there is; false while the count of the start goes on
  };
  State Find(std::string_view name_space) const;

 private:
  const std::shared_ptr<storage::Backend> backend_;
  const storage::KeySpace rows_;
  const std::shared_ptr<UsageAccounts> accounts_;
  std::mutex mutex_;  // held over storing and enforcing, so that both happen in one order
};

}  // namespace holdfast::tenancy
