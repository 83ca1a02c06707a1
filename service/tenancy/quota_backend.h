// Holds every namespace to its quota of bytes and keys: refuses the writes that would go above it with
// kResourceExhausted and passes everything else on.
//
// A write is let through when usage, what other writes in flight may add, and its own whole size fit. Otherwise what it
// replaces is looked up and only the growth has to fit; such writes go one at a time per namespace. So the usage is
// never above the quota by more than one such write, and that only when somebody deletes meanwhile what it replaces.
// What does not grow always goes through, also above a quota that was lowered.
//
// Until the accounts are counted, whatever may add to a limited namespace is refused with kUnavailable.
//
// An operation of an Execute is refused on its own; room that deletes of the same Execute make is not counted on. A
// Transact is refused whole, when its larger branch does not fit, and its own deletes count.
#pragma once

#include <memory>

#include "service/storage/backend.h"
#include "service/tenancy/usage_accounts.h"

namespace holdfast::tenancy {

// `accounts` hear of the changes of `backend`. Costs one load while no namespace is limited.
std::shared_ptr<storage::Backend> MakeQuotaBackend(std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<UsageAccounts> accounts);

}  // namespace holdfast::tenancy
