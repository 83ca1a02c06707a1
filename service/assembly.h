// The parts of the running service, put together from its settings: backends, what wraps them, the stores over them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/settings.h"
#include "service/storage/store.h"

namespace holdfast::service {

struct OpenBackend {
  std::string name;
  std::shared_ptr<storage::Backend> backend;
};

// All of them, or an error that names the backend; those already open are closed again.
Result<std::vector<OpenBackend>> OpenBackends(const std::vector<BackendSettings>& settings);
// Closes every one, also when one fails; the first error.
Status CloseBackends(const std::vector<OpenBackend>& backends);

// Each store with its metrics, its executor and what coordinates its clients, which hears of the backend's changes.
// `registry` must outlive them.
std::shared_ptr<const storage::StoreRegistry> BuildStores(const ServiceSettings& settings,
                                                          const std::vector<OpenBackend>& backends,
                                                          metrics::Registry& registry);
// Answers the requests that wait for a lock, so that a shutdown need not wait for them.
void StopWaiting(const storage::StoreRegistry& stores);
// Waits until everything that was submitted has been answered; refuses what comes later.
void DrainStores(const storage::StoreRegistry& stores);

// holdfast_store_entries and holdfast_store_bytes, asked for at every scrape.
void ExportStatistics(std::shared_ptr<const storage::StoreRegistry> stores, metrics::Registry& registry);

}  // namespace holdfast::service
