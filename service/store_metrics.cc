#include "service/store_metrics.h"

#include <set>
#include <vector>

#include "service/pool_metrics.h"

namespace holdfast::service {

void ExportStatistics(std::shared_ptr<const storage::StoreRegistry> stores, metrics::Registry& registry) {
  struct Gauges {
    std::shared_ptr<storage::Backend> backend;
    metrics::Gauge& entries;
    metrics::Gauge& bytes;
    metrics::Gauge& compression_ratio;
    metrics::Counter& hits;
    metrics::Counter& misses;
    metrics::Counter& expired;
    metrics::Counter& evicted;
    storage::Statistics counted;  // as of the last scrape
  };
  std::set<std::string> pools;
  for (const storage::Store& store : stores->stores()) {
    if (pools.insert(store.backend_name).second) ExportPool(store.backend_name, store.backend, registry);
  }
  auto gauges = std::make_shared<std::vector<Gauges>>();
  for (const storage::Store& store : stores->stores()) {
    const metrics::Labels labels{{"store", store.name}, {"backend", store.backend_name}};
    const auto cache = [&](const char* result) -> metrics::Counter& {
      return registry.GetCounter("holdfast_cache_requests_total", "Look-ups in the store's cache.",
                                 {{"store", store.name}, {"result", result}});
    };
    const auto removed = [&](const char* cause) -> metrics::Counter& {
      return registry.GetCounter("holdfast_store_removed_total", "Entries removed without having been asked for.",
                                 {{"store", store.name}, {"cause", cause}});
    };
    gauges->push_back(
        {store.backend,
         registry.GetGauge("holdfast_store_entries", "Entries, expired ones not yet removed included.", labels),
         registry.GetGauge("holdfast_store_bytes", "Keys and values in memory, or the size on disk.", labels),
         registry.GetGauge("holdfast_store_compression_ratio",
                           "Bytes of compressed values before compression, divided by those after; 1 when none was.",
                           labels),
         cache("hit"),
         cache("miss"),
         removed("expired"),
         removed("evicted"),
         {}});
  }
  registry.OnCollect([gauges] {
    // Scrapes come one at a time: the registry collects under its lock.
    for (Gauges& row : *gauges) {
      const storage::Statistics statistics = row.backend->statistics();
      row.entries.Set(static_cast<double>(statistics.entries));
      row.bytes.Set(static_cast<double>(statistics.bytes));
      row.compression_ratio.Set(statistics.compressed_bytes == 0
                                    ? 1.0
                                    : static_cast<double>(statistics.uncompressed_bytes) /
                                          static_cast<double>(statistics.compressed_bytes));
      // A closed backend answers zeros; a counter never goes back.
      const auto add = [](metrics::Counter& counter, std::uint64_t now, std::uint64_t& before) {
        if (now <= before) return;
        counter.Increment(static_cast<double>(now - before));
        before = now;
      };
      add(row.hits, statistics.cache_hits, row.counted.cache_hits);
      add(row.misses, statistics.cache_misses, row.counted.cache_misses);
      add(row.expired, statistics.expired_removed, row.counted.expired_removed);
      add(row.evicted, statistics.evicted, row.counted.evicted);
    }
  });
}

}  // namespace holdfast::service
