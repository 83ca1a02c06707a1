#include "service/failover_metrics.h"

#include "service/followed_counter.h"

namespace holdfast::service {

void ExportFailover(const std::string& store, std::shared_ptr<const storage::FailoverView> view,
                    metrics::Registry& registry) {
  const metrics::Labels labels{{"store", store}};
  const auto gauge = [&](const char* name, const char* help) -> metrics::Gauge& {
    return registry.GetGauge(name, help, labels);
  };
  const auto counter = [&](const char* name, const char* help) {
    return FollowedCounter(registry.GetCounter(name, help, labels));
  };
  const auto replayed = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_failover_replayed_total",
                                               "Keys written on the secondary that were replayed to the primary.",
                                               {{"store", store}, {"result", result}}));
  };
  const auto switches = [&](const char* to) {
    return FollowedCounter(registry.GetCounter("holdfast_failover_switches_total",
                                               "How often the store went over to the other backend.",
                                               {{"store", store}, {"to", to}}));
  };
  metrics::Gauge& on_secondary =
      gauge("holdfast_failover_on_secondary", "1 while the secondary backend answers for the store, else 0.");
  metrics::Gauge& complete =
      gauge("holdfast_failover_copy_complete", "1 once the secondary has had a copy of everything since the start.");
  metrics::Gauge& lag = gauge("holdfast_failover_copy_lag_seconds",
                              "How far the copy in the secondary is behind at most; -1 while that is unknown.");
  metrics::Gauge& pending = gauge("holdfast_failover_pending_keys", "Keys that changed and are not copied yet.");
  metrics::Gauge& journal =
      gauge("holdfast_failover_journal_keys", "Keys written on the secondary that wait for the primary.");
  registry.OnCollect(
      [view = std::move(view), &on_secondary, &complete, &lag, &pending, &journal,
       copied = counter("holdfast_failover_copied_total", "States of keys that were copied to the secondary."),
       comparisons = counter("holdfast_failover_comparisons_total", "Comparisons of everything with the secondary."),
       refused = counter("holdfast_failover_refused_writes_total", "Writes that the secondary did not take."),
       written = replayed("written"), conflicts = replayed("conflict"), away = switches("secondary"),
       back = switches("primary")]() mutable {
        const storage::FailoverStatus status = view->status();
        on_secondary.Set(status.serving == "primary" ? 0 : 1);
        complete.Set(status.copy_complete ? 1 : 0);
        lag.Set(status.copy_lag ? std::chrono::duration<double>(*status.copy_lag).count() : -1);
        pending.Set(static_cast<double>(status.pending_keys));
        journal.Set(static_cast<double>(status.journal_entries));
        copied.Show(status.copied);
        comparisons.Show(status.comparisons);
        refused.Show(status.refused_writes);
        written.Show(status.replayed);
        conflicts.Show(status.conflicts);
        away.Show(status.switches);
        back.Show(status.returns);
      });
}

}  // namespace holdfast::service
