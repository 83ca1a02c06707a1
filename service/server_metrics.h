// Metrics of the server behind a remote backend, shown at every scrape as it has told them last:
//   holdfast_server_connections{backend,state}
//   holdfast_server_database_bytes{backend}
//   holdfast_server_table_bytes{backend,table}, holdfast_server_live_rows, holdfast_server_dead_rows
//   holdfast_server_waiting_locks{backend}
//   holdfast_replication_lag_bytes{backend,replica}
// What the server has not told has no series.
#pragma once

#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/backend.h"

namespace holdfast::service {

// One scrape at a time.
class ServerMetrics {
 public:
  // `registry` outlives it.
  ServerMetrics(const std::string& backend_name, metrics::Registry& registry);
  void Show(const storage::ServerStatistics& now);

 private:
  metrics::GaugeSet& connections_;
  metrics::GaugeSet& database_bytes_;
  metrics::GaugeSet& table_bytes_;
  metrics::GaugeSet& live_rows_;
  metrics::GaugeSet& dead_rows_;
  metrics::GaugeSet& waiting_locks_;
  metrics::GaugeSet& replication_lag_;
};

}  // namespace holdfast::service
