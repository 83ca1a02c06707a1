// Stores that acknowledge writes before their backend has them: made, started and stopped.
#pragma once

#include <memory>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/settings.h"
#include "service/storage/store.h"

namespace holdfast::service {

// In front of the store's cache; `store` gets its view. What becomes of its queue is logged and measured.
std::shared_ptr<storage::Backend> MakeWriteBehind(const StoreSettings& wanted, std::shared_ptr<storage::Backend> tiered,
                                                  std::shared_ptr<storage::Backend> queue, storage::Store* store,
                                                  metrics::Registry& registry);
// Has every such store load what an earlier process left, and bring it from then on. Before anything is asked of the
// stores. An error names the store.
Status StartWriteQueues(const storage::StoreRegistry& stores, Deadline deadline);
// Brings what is queued until the deadline; the rest stays for the next start. When the stores are asked no more.
void StopWriteQueues(const storage::StoreRegistry& stores, Deadline deadline);

}  // namespace holdfast::service
