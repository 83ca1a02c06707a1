// The parts of the running service, put together from its settings: backends, what wraps them, the stores over them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/guards.h"
#include "service/settings.h"
#include "service/storage/store.h"
#include "service/tenancy/tenancy.h"

namespace holdfast::service {

// An error that names store and setting when a store's backend is not what the store requires (require_fencing).
Status CheckRequirements(const ServiceSettings& settings, const std::vector<OpenBackend>& backends);

// All of them, or an error that names the backend; those already open are closed again. `stop` ends a wait for another
// process (lock_wait).
Result<std::vector<OpenBackend>> OpenBackends(const std::vector<BackendSettings>& settings,
                                              const std::function<bool()>& stop = {});
// Closes every one, also when one fails; the first error.
Status CloseBackends(const std::vector<OpenBackend>& backends);

// Each store with its metrics, its executor and what coordinates its clients; what the guard of its backend would
// refuse does not queue. `registry` must outlive them. Every write is held to the quotas of `accounts`. The backends
// tell all of these of their changes, so nothing may have been asked of them before.
std::shared_ptr<const storage::StoreRegistry> BuildStores(const ServiceSettings& settings,
                                                          const std::vector<OpenBackend>& backends,
                                                          const Guards& guards,
                                                          const std::shared_ptr<tenancy::UsageAccounts>& accounts,
                                                          metrics::Registry& registry);
// Answers the requests that wait for a lock, so that a shutdown need not wait for them.
void StopWaiting(const storage::StoreRegistry& stores);
// Callers, quotas and the audit log; loads the quotas, so before requests are let in. The backends tell `accounts` of
// changes already.
Result<std::shared_ptr<const tenancy::Tenancy>> BuildTenancy(const ServiceSettings& settings,
                                                             const storage::StoreRegistry& stores,
                                                             std::shared_ptr<tenancy::UsageAccounts> accounts,
                                                             metrics::Registry& registry);
// Has what every backend holds counted in the background, which reads all its keys. Behind BuildTenancy; stopped by
// UsageAccounts::StopCount before the backends close.
void StartCounting(tenancy::UsageAccounts& accounts);
// Has every store that moves find out where that stands, and take part from then on. Before anything is asked of the
// stores. An error names the store.
Status StartMigrations(const storage::StoreRegistry& stores, Deadline deadline);
// Behind it those stores are closed. Before the backends close.
void StopMigrations(const storage::StoreRegistry& stores);
// Builds and drops indexes of collections, from where the last process stopped. Behind BuildTenancy: what is written is
// counted.
void StartMaintenance(const storage::StoreRegistry& stores);
// Waits for the steps in progress; the next start goes on from there. Before the backends close.
void StopMaintenance(const storage::StoreRegistry& stores);
// No store switches to another backend from then on. Before the backends close, which would look like a failure.
void StopFailovers(const storage::StoreRegistry& stores);
// Nothing is written to replicas from then on. Before the backends close.
void StopReplication(const storage::StoreRegistry& stores);
// Waits until everything that was submitted has been answered; refuses what comes later.
void DrainStores(const storage::StoreRegistry& stores);

}  // namespace holdfast::service
