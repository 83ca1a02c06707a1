// What Prometheus is told of a store's backups.
#pragma once

#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/backup/catalogue.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Thread-safe. `registry` outlives it.
class BackupMetrics {
 public:
  BackupMetrics(const std::string& store, std::chrono::microseconds max_age, std::chrono::microseconds drill_max_age,
                metrics::Registry& registry);

  // `error`: null, it was done.
  void CountRun(storage::BackupAction action, const Error* error, std::chrono::duration<double> took);
  // What is on the target now.
  void Observe(const std::vector<StoredBackup>& all);

 private:
  void ObserveDrills(const std::vector<StoredBackup>& all);

  const std::string store_;
  metrics::Registry& registry_;
  metrics::Histogram& duration_;
  metrics::Gauge& newest_;
  metrics::Gauge& newest_verified_;
  metrics::Gauge& bytes_;
  metrics::Gauge& stored_;
  metrics::Gauge& damaged_;
  metrics::Gauge& drill_success_;
  metrics::Gauge& drill_failure_;
  metrics::Gauge& drill_duration_;
};

}  // namespace holdfast::backup
