#include "service/write_queue_metrics.h"

#include "service/followed_counter.h"

namespace holdfast::service {

void ExportWriteQueue(const std::string& store, std::shared_ptr<const storage::WriteQueueView> view,
                      metrics::Registry& registry) {
  const metrics::Labels labels{{"store", store}};
  const auto settled = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_write_queue_settled_total", "Queued writes that left.",
                                               {{"store", store}, {"result", result}}));
  };
  metrics::Gauge& entries = registry.GetGauge("holdfast_write_queue_entries",
                                              "Acknowledged writes that the backend does not have yet.", labels);
  metrics::Gauge& bytes =
      registry.GetGauge("holdfast_write_queue_bytes", "Keys and values of the queued writes.", labels);
  metrics::Gauge& oldest =
      registry.GetGauge("holdfast_write_queue_oldest_seconds", "How long the oldest queued write has waited.", labels);
  metrics::Gauge& away = registry.GetGauge("holdfast_write_queue_away",
                                           "1 while the backend does not take what it is brought, else 0.", labels);
  FollowedCounter retries(registry.GetCounter("holdfast_write_queue_retries_total",
                                              "Attempts to bring queued writes that failed.", labels));
  FollowedCounter refused(registry.GetCounter("holdfast_write_queue_refused_total",
                                              "Writes for which there was no room in the queue.", labels));
  registry.OnCollect([view = std::move(view), &entries, &bytes, &oldest, &away, retries, refused,
                      written = settled("written"), coalesced = settled("coalesced"),
                      conflict = settled("conflict")]() mutable {
    const storage::WriteQueueStatus status = view->status();
    entries.Set(static_cast<double>(status.entries));
    bytes.Set(static_cast<double>(status.bytes));
    oldest.Set(std::chrono::duration<double>(status.oldest).count());
    away.Set(status.away ? 1 : 0);
    retries.Show(status.retries);
    refused.Show(status.refused);
    written.Show(status.drained);
    coalesced.Show(status.coalesced);
    conflict.Show(status.conflicts);
  });
}

}  // namespace holdfast::service
