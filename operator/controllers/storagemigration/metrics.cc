#include "operator/controllers/storagemigration/metrics.h"

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "operator/api/v1/storage_migration.h"
#include "operator/controllers/storagemigration/decision.h"

namespace holdfast::storagemigration {
namespace {

using metrics::Labels;
using metrics::Sample;

// The samples of one migration, whose labels are given.
using PerMigration =
    std::function<void(const api::StorageMigration& migration, const Labels& labels, std::vector<Sample>* samples)>;

void AddFamily(metrics::Registry& registry, const std::weak_ptr<const MigrationListers>& listers, std::string name,
               std::string help, PerMigration samples_of) {
  registry.CollectGauges(std::move(name), std::move(help), [listers, samples_of = std::move(samples_of)] {
    std::vector<Sample> samples;
    const auto alive = listers.lock();
    if (alive == nullptr) return samples;
    for (const kube::Lister* lister : *alive) {
      for (const kube::ObjectPtr& object : lister->List()) {
        const api::ParsedStorageMigration parsed = api::ParseStorageMigration(*object);
        if (!parsed.migration) continue;
        const api::StorageMigration& migration = *parsed.migration;
        samples_of(migration,
                   {{"namespace", migration.ns},
                    {"cluster", migration.spec.cluster},
                    {"store", migration.spec.store},
                    {"migration", migration.name}},
                   &samples);
      }
    }
    return samples;
  });
}

void Conditions(const api::StorageMigration& migration, const Labels& labels, std::vector<Sample>* samples) {
  for (const api::Condition& condition : migration.status.conditions) {
    if (condition.status != api::ConditionStatus::kTrue) continue;
    Sample sample{labels, 1.0};
    sample.labels["condition"] = condition.type;
    sample.labels["reason"] = condition.reason;
    samples->push_back(std::move(sample));
  }
}

void Waits(const api::StorageMigration& migration, const Labels& labels, std::vector<Sample>* samples) {
  const api::Condition* progressing = api::FindCondition(migration.status.conditions, kProgressingCondition);
  const bool waits = progressing != nullptr && progressing->status == api::ConditionStatus::kFalse;
  if (!waits || IsOver(migration, /*held=*/false)) return;
  Sample sample{labels, 1.0};
  sample.labels["reason"] = progressing->reason;
  samples->push_back(std::move(sample));
}

}  // namespace

void AddMigrationMetrics(metrics::Registry& registry, const std::weak_ptr<const MigrationListers>& listers,
                         const Clock& clock) {
  AddFamily(registry, listers, "holdfast_storagemigration_condition",
            "Always 1, for each condition of each StorageMigration that is True.", Conditions);
  AddFamily(registry, listers, "holdfast_storagemigration_waits",
            "1 while a StorageMigration waits for somebody to act, and why.", Waits);
  AddFamily(registry, listers, "holdfast_storagemigration_seconds_left",
            "Until the deadline of each StorageMigration that is not over; negative behind it.",
            [&clock](const api::StorageMigration& migration, const Labels& labels, std::vector<Sample>* samples) {
              if (IsOver(migration, /*held=*/false)) return;
              const auto left = migration.created + migration.spec.deadline - clock.Now();
              samples->push_back({labels, std::chrono::duration<double>(left).count()});
            });
}

}  // namespace holdfast::storagemigration
