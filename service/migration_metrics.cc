#include "service/migration_metrics.h"

#include "service/followed_counter.h"

namespace holdfast::service {

void ExportMigration(const std::string& store, std::shared_ptr<const dual_write::DualWriteBackend> moving,
                     metrics::Registry& registry) {
  metrics::Gauge& phase = registry.GetGauge(
      "holdfast_migration_phase",
      "Phase of a store's move to another backend: 0 idle, 1 dual_write, 2 verifying, 3 verified, 4 reads_switched, "
      "5 cut_over, 6 aborting.",
      {{"store", store}});
  FollowedCounter missed(
      registry.GetCounter("holdfast_migration_missed_writes_total",
                          "Acknowledged writes that the target of a migration did not take while it was being filled.",
                          {{"store", store}}));
  FollowedCounter moved(registry.GetCounter("holdfast_migration_keys_total",
                                            "Keys that a migration has copied, compared or removed in the background.",
                                            {{"store", store}}));
  registry.OnCollect([moving = std::move(moving), &phase, missed, moved]() mutable {
    phase.Set(static_cast<double>(moving->phase()));
    missed.Show(moving->missed_writes());
    moved.Show(moving->moved_keys());
  });
}

}  // namespace holdfast::service
