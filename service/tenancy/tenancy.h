// What the API asks about its callers, put together.
#pragma once

#include <memory>

#include "service/tenancy/access_control.h"
#include "service/tenancy/audit_log.h"
#include "service/tenancy/quota_records.h"
#include "service/tenancy/usage_accounts.h"

namespace holdfast::tenancy {

// None is null.
struct Tenancy {
  std::shared_ptr<AccessControl> access;
  std::shared_ptr<UsageAccounts> accounts;
  std::shared_ptr<QuotaRecords> quotas;
  std::shared_ptr<AuditLog> audit;
};

}  // namespace holdfast::tenancy
