#include "operator/controllers/storagebackup/metrics.h"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_restore.h"

namespace holdfast::storagebackup {
namespace {

using metrics::Labels;
using metrics::Sample;

void ForEach(const std::weak_ptr<const RunListers>& listers, const std::function<void(const kube::Json&)>& act) {
  const auto alive = listers.lock();
  if (alive == nullptr) return;
  for (const kube::Lister* lister : *alive) {
    for (const kube::ObjectPtr& object : lister->List()) act(*object);
  }
}

using Series = std::map<Labels, double>;

std::vector<Sample> SamplesOf(const Series& series) {
  std::vector<Sample> samples;
  samples.reserve(series.size());
  for (const auto& [labels, value] : series) samples.push_back({labels, value});
  return samples;
}

std::string PhaseOf(const std::string& phase) {
  return phase.empty() ? api::kPhasePending : phase;
}

}  // namespace

void AddRunMetrics(metrics::Registry& registry, const std::weak_ptr<const RunListers>& backups,
                   const std::weak_ptr<const RunListers>& restores, const Clock& clock) {
  registry.CollectGauges("holdfast_storagebackups", "StorageBackups by cluster, store and phase.", [backups] {
    Series series;
    ForEach(backups, [&](const kube::Json& object) {
      const api::ParsedStorageBackup parsed = api::ParseStorageBackup(object);
      if (!parsed.backup) return;
      series[{{"namespace", parsed.backup->metadata.ns},
              {"cluster", parsed.backup->spec.cluster},
              {"store", parsed.backup->spec.store},
              {"phase", PhaseOf(parsed.backup->status.phase)}}] += 1.0;
    });
    return SamplesOf(series);
  });
  registry.CollectGauges(
      "holdfast_storagebackup_last_success_age_seconds",
      "Since the newest backup that a StorageBackup has seen to succeed was whole.", [backups, &clock] {
        Series series;
        const Timestamp now = clock.Now();
        ForEach(backups, [&](const kube::Json& object) {
          const api::ParsedStorageBackup parsed = api::ParseStorageBackup(object);
          if (!parsed.backup || parsed.backup->status.phase != api::kPhaseSucceeded) return;
          if (!parsed.backup->status.completed) return;
          const double age = std::chrono::duration<double>(now - *parsed.backup->status.completed).count();
          const Labels labels = {{"namespace", parsed.backup->metadata.ns},
                                 {"cluster", parsed.backup->spec.cluster},
                                 {"store", parsed.backup->spec.store}};
          const auto [known, fresh] = series.try_emplace(labels, age);
          if (!fresh && age < known->second) known->second = age;
        });
        return SamplesOf(series);
      });
  registry.CollectGauges("holdfast_storagerestores", "StorageRestores by cluster, store and phase.", [restores] {
    Series series;
    ForEach(restores, [&](const kube::Json& object) {
      const api::ParsedStorageRestore parsed = api::ParseStorageRestore(object);
      if (!parsed.restore) return;
      series[{{"namespace", parsed.restore->metadata.ns},
              {"cluster", parsed.restore->spec.cluster},
              {"store", parsed.restore->spec.store},
              {"phase", PhaseOf(parsed.restore->status.phase)}}] += 1.0;
    });
    return SamplesOf(series);
  });
}

}  // namespace holdfast::storagebackup
