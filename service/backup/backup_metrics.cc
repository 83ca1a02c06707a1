#include "service/backup/backup_metrics.h"

#include <algorithm>
#include <array>

namespace holdfast::backup {
namespace {

using storage::BackupAction;

const std::vector<double>& Buckets() {
  static const std::vector<double> kBuckets{0.1, 1, 10, 60, 300, 1800, 7200, 28800};
  return kBuckets;
}

double Seconds(Timestamp time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

metrics::Counter& RunsOf(metrics::Registry& registry, const std::string& store, BackupAction action,
                         std::string_view result) {
  return registry.GetCounter(
      "holdfast_backup_runs_total", "What was done with backups and has ended.",
      {{"store", store}, {"action", std::string(storage::BackupActionName(action))}, {"result", std::string(result)}});
}

}  // namespace

BackupMetrics::BackupMetrics(const std::string& store, std::chrono::microseconds max_age,
                             std::chrono::microseconds drill_max_age, metrics::Registry& registry)
    : store_(store),
      registry_(registry),
      duration_(registry.GetHistogram("holdfast_backup_duration_seconds",
                                      "Time to make a backup, and to read it again where that is asked for.",
                                      {{"store", store}}, Buckets())),
      newest_(registry.GetGauge("holdfast_backup_last_success_timestamp_seconds",
                                "When the newest sound backup was taken, since 1970; 0: there is none.",
                                {{"store", store}})),
      newest_verified_(registry.GetGauge("holdfast_backup_last_verified_timestamp_seconds",
                                         "When the newest backup that was read whole was taken, since 1970; 0: none.",
                                         {{"store", store}})),
      bytes_(registry.GetGauge("holdfast_backup_last_bytes", "Size of the newest sound backup.", {{"store", store}})),
      stored_(registry.GetGauge("holdfast_backup_stored", "Backups of the store that are kept.", {{"store", store}})),
      damaged_(registry.GetGauge("holdfast_backup_damaged", "Of these, those whose manifest cannot be read.",
                                 {{"store", store}})),
      drill_success_(registry.GetGauge("holdfast_backup_drill_last_success_timestamp_seconds",
                                       "When a backup was last restored into a scratch store and found to be what was "
                                       "backed up, since 1970; 0: none that is kept was.",
                                       {{"store", store}})),
      drill_failure_(registry.GetGauge("holdfast_backup_drill_last_failure_timestamp_seconds",
                                       "When a drill last failed of a backup that is kept, since 1970; 0: none did.",
                                       {{"store", store}})),
      drill_duration_(registry.GetGauge("holdfast_backup_drill_last_duration_seconds",
                                        "How long the restore took in the last drill that succeeded.",
                                        {{"store", store}})) {
  registry
      .GetGauge("holdfast_backup_drill_max_age_seconds",
                "backup_drill_max_age of the store; 0: its last drill may be of any age.", {{"store", store}})
      .Set(std::chrono::duration<double>(drill_max_age).count());
  registry
      .GetGauge("holdfast_backup_max_age_seconds", "backup_max_age of the store; 0: its backups may be of any age.",
                {{"store", store}})
      .Set(std::chrono::duration<double>(max_age).count());
  for (const BackupAction action : storage::kBackupActions) {
    for (const char* result : {"ok", "error", "damaged"}) RunsOf(registry, store, action, result);
  }
}

void BackupMetrics::CountRun(BackupAction action, const Error* error, std::chrono::duration<double> took) {
  const bool damaged = error != nullptr && error->code() == ErrorCode::kCorruption;
  const std::string_view failed = damaged ? "damaged" : "error";
  RunsOf(registry_, store_, action, error == nullptr ? "ok" : failed).Increment();
  const bool makes = action == BackupAction::kCreate || action == BackupAction::kIncrement;
  if (makes && error == nullptr) duration_.Observe(took.count());
}

void BackupMetrics::Observe(const std::vector<StoredBackup>& all) {
  stored_.Set(static_cast<double>(all.size()));
  damaged_.Set(static_cast<double>(
      std::count_if(all.begin(), all.end(), [](const StoredBackup& one) { return one.damage.has_value(); })));
  const bool any = !all.empty() && !all.back().damage;
  newest_.Set(any ? Seconds(all.back().manifest.created_at) : 0);
  std::uint64_t bytes = 0;
  if (any) {
    for (const ManifestObject& object : all.back().manifest.objects) bytes += object.bytes;
    for (const ManifestObject& object : all.back().manifest.index) bytes += object.bytes;
  }
  bytes_.Set(static_cast<double>(bytes));
  const auto verified =
      std::find_if(all.rbegin(), all.rend(), [](const StoredBackup& one) { return one.verified_at.has_value(); });
  newest_verified_.Set(verified != all.rend() ? Seconds(verified->manifest.created_at) : 0);
  ObserveDrills(all);
}

void BackupMetrics::ObserveDrills(const std::vector<StoredBackup>& all) {
  const DrillRecord* last_success = nullptr;
  const DrillRecord* last_failure = nullptr;
  for (const StoredBackup& one : all) {
    if (!one.drill) continue;
    const DrillRecord*& last = one.drill->succeeded() ? last_success : last_failure;
    if (last == nullptr || one.drill->at >= last->at) last = &*one.drill;
  }
  drill_success_.Set(last_success != nullptr ? Seconds(last_success->at) : 0);
  drill_failure_.Set(last_failure != nullptr ? Seconds(last_failure->at) : 0);
  drill_duration_.Set(last_success != nullptr ? std::chrono::duration<double>(last_success->took).count() : 0);
}

}  // namespace holdfast::backup
