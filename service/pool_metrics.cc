#include "service/pool_metrics.h"

#include "service/followed_counter.h"
#include "service/replica_metrics.h"
#include "service/server_metrics.h"

namespace holdfast::service {

void ExportPool(const std::string& backend_name, std::shared_ptr<storage::Backend> backend,
                metrics::Registry& registry) {
  const storage::Statistics first = backend->statistics();
  if (!first.pool) return;
  // Copied with the collector; the gauges are the registry's.
  std::optional<ReplicaMetrics> replicas;
  if (first.reads) replicas.emplace(backend_name, *first.reads, registry);
  std::shared_ptr<storage::ServerStatistics> server;
  if (first.server) {
    server = std::make_shared<storage::ServerStatistics>();
    ExportServer(
        backend_name, [server] { return *server; }, registry);
  }
  const auto connections = [&](const char* state) -> metrics::Gauge& {
    return registry.GetGauge("holdfast_pool_connections", "Connections to the backend's server.",
                             {{"backend", backend_name}, {"state", state}});
  };
  const auto requests = [&](const char* result) {
    return FollowedCounter(registry.GetCounter("holdfast_pool_requests_total", "Calls that asked for a connection.",
                                               {{"backend", backend_name}, {"result", result}}));
  };
  const auto changes = [&](const char* change) {
    return FollowedCounter(registry.GetCounter("holdfast_pool_changes_total", "Connections opened and closed.",
                                               {{"backend", backend_name}, {"change", change}}));
  };
  metrics::Gauge& idle = connections("idle");
  metrics::Gauge& in_use = connections("in_use");
  metrics::Gauge& waiting =
      registry.GetGauge("holdfast_pool_waiting", "Calls that wait for a connection.", {{"backend", backend_name}});
  registry.OnCollect([backend = std::move(backend), &idle, &in_use, &waiting, at_once = requests("at_once"),
                      waited = requests("waited"), refused = requests("refused"), opened = changes("opened"),
                      closed = changes("closed"), failed = changes("failed"), replicas, server]() mutable {
    const storage::Statistics statistics = backend->statistics();
    if (replicas && statistics.reads) replicas->Show(*statistics.reads);
    if (server) *server = statistics.server.value_or(storage::ServerStatistics{});
    const storage::PoolStatistics pool = statistics.pool.value_or(storage::PoolStatistics{});
    idle.Set(static_cast<double>(pool.idle));
    in_use.Set(static_cast<double>(pool.in_use));
    waiting.Set(static_cast<double>(pool.waiting));
    at_once.Show(pool.acquired - pool.waited);
    waited.Show(pool.waited - pool.timeouts);
    refused.Show(pool.timeouts);
    opened.Show(pool.opened);
    closed.Show(pool.closed);
    failed.Show(pool.failures);
  });
}

}  // namespace holdfast::service
