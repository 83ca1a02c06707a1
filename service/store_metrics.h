// Metrics of every store and of the connections of its backend.
#pragma once

#include <memory>

#include "base/metrics/metrics.h"
#include "service/storage/store.h"

namespace holdfast::service {

// holdfast_store_entries and holdfast_store_bytes, asked for at every scrape.
void ExportStatistics(std::shared_ptr<const storage::StoreRegistry> stores, metrics::Registry& registry);

}  // namespace holdfast::service
