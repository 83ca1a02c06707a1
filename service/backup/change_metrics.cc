#include "service/backup/change_metrics.h"

namespace holdfast::backup {
namespace {

metrics::Counter& Runs(const std::string& store, const char* result, metrics::Registry& registry) {
  return registry.GetCounter("holdfast_change_archive_runs_total", "Attempts to ship the changes of the store.",
                             {{"store", store}, {"result", result}});
}

}  // namespace

ChangeMetrics::ChangeMetrics(const std::string& store, const ChangeArchiveOptions& options, Timestamp now,
                             metrics::Registry& registry)
    : ok_(Runs(store, "ok", registry)),
      failed_(Runs(store, "error", registry)),
      segments_(registry.GetCounter("holdfast_change_archive_segments_total", "Segments shipped to the change log.",
                                    {{"store", store}})),
      changes_(
          registry.GetCounter("holdfast_change_archive_changes_total", "Changes shipped in them.", {{"store", store}})),
      gaps_(registry.GetCounter("holdfast_change_archive_gaps_total",
                                "Times that changes were lost to the change log before they were shipped.",
                                {{"store", store}})),
      covered_(registry.GetGauge("holdfast_change_archive_covered_timestamp_seconds",
                                 "Everything acknowledged up to then is in the change log, since 1970; until something "
                                 "was shipped, the start of the process.",
                                 {{"store", store}})) {
  registry
      .GetGauge("holdfast_change_archive_interval_seconds",
                "backups.change_archive_interval, of stores with a change "
                "log.",
                {{"store", store}})
      .Set(std::chrono::duration<double>(options.interval).count());
  SetCovered(now);
}

void ChangeMetrics::CountRun(bool ok) {
  (ok ? ok_ : failed_).Increment();
}

void ChangeMetrics::CountSegment(std::size_t changes) {
  segments_.Increment();
  changes_.Increment(static_cast<double>(changes));
}

void ChangeMetrics::CountGap() {
  gaps_.Increment();
}

void ChangeMetrics::SetCovered(Timestamp until) {
  covered_.Set(std::chrono::duration<double>(until.time_since_epoch()).count());
}

metrics::Gauge& RestorableGauge(const std::string& store, metrics::Registry& registry) {
  return registry.GetGauge("holdfast_change_archive_restorable",
                           "1: a backup is kept from which on the change log is whole; 0: the store cannot be restored "
                           "to a time.",
                           {{"store", store}});
}

}  // namespace holdfast::backup
