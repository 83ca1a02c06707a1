// Metrics of the read replicas of a backend, shown at every scrape:
//   holdfast_replicas{backend,state}              in_rotation, out
//   holdfast_replica_lag_seconds{backend,replica} 0 when nothing is missing
//   holdfast_reads_total{backend,target}          gets and scans: primary, replica
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/metrics/metrics.h"
#include "service/storage/backend.h"

namespace holdfast::service {

// One scrape at a time.
class ReplicaMetrics {
 public:
  // Registers what `first` has replicas for. `registry` outlives it.
  ReplicaMetrics(const std::string& backend_name, const storage::ReadStatistics& first, metrics::Registry& registry);
  void Show(const storage::ReadStatistics& now);

 private:
  metrics::Gauge& in_rotation_;
  metrics::Gauge& out_;
  metrics::Counter& of_primary_;
  metrics::Counter& of_replicas_;
  std::map<std::string, metrics::Gauge*> lags_;  // by the replica's name
  std::uint64_t shown_of_primary_ = 0;
  std::uint64_t shown_of_replicas_ = 0;
};

}  // namespace holdfast::service
