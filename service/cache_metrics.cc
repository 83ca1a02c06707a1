#include "service/cache_metrics.h"

#include "service/followed_counter.h"

namespace holdfast::service {

void ExportCache(const std::string& store, std::shared_ptr<const composition::TieredBackend> tiered,
                 metrics::Registry& registry) {
  const metrics::Labels labels{{"store", store}};
  metrics::Gauge& entries = registry.GetGauge("holdfast_cache_entries", "Copies in the store's cache.", labels);
  metrics::Gauge& bytes = registry.GetGauge("holdfast_cache_bytes", "What the store's cache takes.", labels);
  metrics::Gauge& staleness = registry.GetGauge("holdfast_cache_staleness_seconds",
                                                "How old answers from the store's cache are at most.", labels);
  FollowedCounter evicted(
      registry.GetCounter("holdfast_cache_evicted_total", "Copies that gave way to others.", labels));
  FollowedCounter coalesced(
      registry.GetCounter("holdfast_cache_coalesced_total", "Misses that waited for another request's read.", labels));
  FollowedCounter dropped(registry.GetCounter("holdfast_cache_dropped_total",
                                              "Copies for which there was no room on their way to the cache.", labels));
  registry.OnCollect([tiered = std::move(tiered), &entries, &bytes, &staleness, evicted, coalesced, dropped]() mutable {
    const storage::Statistics cache = tiered->cache_statistics();
    entries.Set(static_cast<double>(cache.entries));
    bytes.Set(static_cast<double>(cache.bytes));
    staleness.Set(std::chrono::duration<double>(tiered->staleness()).count());
    evicted.Show(cache.evicted);
    dropped.Show(tiered->dropped_copies());
    coalesced.Show(tiered->tiered_statistics().coalesced);
  });
}

}  // namespace holdfast::service
