// Metrics of stores with a cache, beside holdfast_cache_requests_total, which every store has:
//   holdfast_cache_coalesced_total{store}  misses that waited for another request's read of the same key
//   holdfast_cache_dropped_total{store}    copies for which there was no room on their way to a remote cache
//   holdfast_cache_entries{store}          copies, with those that no longer count
//   holdfast_cache_bytes{store}            what they take
//   holdfast_cache_staleness_seconds{store}  how old answers from copies are at most
//   holdfast_cache_evicted_total{store}    copies that gave way to others
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/composition/tiered_backend.h"

namespace holdfast::service {

// `registry` keeps the backend.
void ExportCache(const std::string& store, std::shared_ptr<const composition::TieredBackend> tiered,
                 metrics::Registry& registry);

}  // namespace holdfast::service
