// Metrics of the server behind a remote backend, shown at every scrape as it has told them last:
//   holdfast_server_connections{backend,state}
//   holdfast_server_database_bytes{backend}
//   holdfast_server_table_bytes{backend,table}, holdfast_server_live_rows, holdfast_server_dead_rows
//   holdfast_server_waiting_locks{backend}
//   holdfast_replication_lag_bytes{backend,replica}
// What the server has not told has no series.
#pragma once

#include <functional>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/backend.h"

namespace holdfast::service {

// Registers them for one backend. `latest` gives what its server has told last; called during a scrape, after the
// functions of Registry::OnCollect. `registry` keeps it.
void ExportServer(const std::string& backend_name, const std::function<storage::ServerStatistics()>& latest,
                  metrics::Registry& registry);

}  // namespace holdfast::service
