#include "operator/controllers/backupschedule/metrics.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "operator/api/v1/backup_schedule.h"

namespace holdfast::backupschedule {
namespace {

using metrics::Labels;
using metrics::Sample;

// Nothing: there is no such figure of that schedule yet.
using FigureOf = std::function<std::optional<double>(const api::BackupScheduleStatus& status, Labels* labels)>;

void AddFamily(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& clusters, std::string name,
               std::string help, FigureOf figure_of) {
  registry.CollectGauges(std::move(name), std::move(help), [clusters, figure_of = std::move(figure_of)] {
    std::vector<Sample> samples;
    const auto alive = clusters.lock();
    if (alive == nullptr) return samples;
    for (const kube::Lister* lister : *alive) {
      for (const kube::ObjectPtr& cluster : lister->List()) {
        const kube::ObjectKey key = kube::KeyOf(*cluster);
        for (const api::BackupScheduleStatus& status : api::BackupScheduleStatusesOf(*cluster)) {
          Labels labels = {{"namespace", key.ns}, {"cluster", key.name}, {"schedule", status.name}};
          const std::optional<double> figure = figure_of(status, &labels);
          if (figure) samples.push_back({std::move(labels), *figure});
        }
      }
    }
    return samples;
  });
}

std::optional<double> Seconds(const std::optional<Timestamp>& time) {
  if (!time) return std::nullopt;
  return std::chrono::duration<double>(time->time_since_epoch()).count();
}

}  // namespace

void AddScheduleMetrics(metrics::Registry& registry, const std::weak_ptr<const ClusterListers>& clusters) {
  AddFamily(registry, clusters, "holdfast_storagebackup_schedule_healthy",
            "Whether the schedule's last StorageBackup succeeded and none is overdue; the reason is BackupHealthy's.",
            [](const api::BackupScheduleStatus& status, Labels* labels) {
              (*labels)["reason"] = status.reason;
              return std::optional(status.healthy ? 1.0 : 0.0);
            });
  AddFamily(registry, clusters, "holdfast_storagebackup_schedule_last_success_timestamp_seconds",
            "When the schedule's newest backup that succeeded was whole, in Unix time.",
            [](const api::BackupScheduleStatus& status, Labels*) { return Seconds(status.last_successful); });
  AddFamily(registry, clusters, "holdfast_storagebackup_schedule_next_timestamp_seconds",
            "The schedule's next tick, in Unix time.",
            [](const api::BackupScheduleStatus& status, Labels*) { return Seconds(status.next_schedule); });
}

}  // namespace holdfast::backupschedule
