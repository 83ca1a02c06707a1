// What Prometheus is told of a store's change log.
#pragma once

#include <string>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/backup/backup_options.h"

namespace holdfast::backup {

// Thread-safe. `registry` outlives it.
class ChangeMetrics {
 public:
  ChangeMetrics(const std::string& store, const ChangeArchiveOptions& options, Timestamp now,
                metrics::Registry& registry);

  void CountRun(bool ok);
  void CountSegment(std::size_t changes);
  void CountGap();
  // Everything that was acknowledged up to then is on the target.
  void SetCovered(Timestamp until);

 private:
  metrics::Counter& ok_;
  metrics::Counter& failed_;
  metrics::Counter& segments_;
  metrics::Counter& changes_;
  metrics::Counter& gaps_;
  metrics::Gauge& covered_;
};

// 1: a backup is kept from which on the log is whole; else 0.
metrics::Gauge& RestorableGauge(const std::string& store, metrics::Registry& registry);

}  // namespace holdfast::backup
