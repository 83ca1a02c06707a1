// Metrics of the connection pools of remote backends, asked for at every scrape:
//   holdfast_pool_connections{backend,state}   idle, in_use (or being opened)
//   holdfast_pool_waiting{backend}             calls that wait for a connection
//   holdfast_pool_requests_total{backend,result}  at_once, waited, refused
//   holdfast_pool_changes_total{backend,change}   opened, closed, failed
// and those of its read replicas and of its server: replica_metrics.h, server_metrics.h.
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/backend.h"

namespace holdfast::service {

// Nothing for a backend without a pool. `registry` keeps the backend.
void ExportPool(const std::string& backend_name, std::shared_ptr<storage::Backend> backend,
                metrics::Registry& registry);

}  // namespace holdfast::service
