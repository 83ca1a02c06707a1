#include "service/replica_metrics.h"

namespace holdfast::service {
namespace {

metrics::Gauge& Replicas(const std::string& backend, const char* state, metrics::Registry& registry) {
  return registry.GetGauge("holdfast_replicas", "Read replicas, by whether reads go there.",
                           {{"backend", backend}, {"state", state}});
}

metrics::Counter& Reads(const std::string& backend, const char* target, metrics::Registry& registry) {
  return registry.GetCounter("holdfast_reads_total", "Gets and scans, by who was asked.",
                             {{"backend", backend}, {"target", target}});
}

// A closed backend answers zeros; a counter never goes back.
void Follow(metrics::Counter& counter, std::uint64_t now, std::uint64_t* shown) {
  if (now <= *shown) return;
  counter.Increment(static_cast<double>(now - *shown));
  *shown = now;
}

}  // namespace

ReplicaMetrics::ReplicaMetrics(const std::string& backend_name, const storage::ReadStatistics& first,
                               metrics::Registry& registry)
    : in_rotation_(Replicas(backend_name, "in_rotation", registry)),
      out_(Replicas(backend_name, "out", registry)),
      of_primary_(Reads(backend_name, "primary", registry)),
      of_replicas_(Reads(backend_name, "replica", registry)) {
  for (const storage::ReplicaStatistics& replica : first.replicas) {
    lags_[replica.name] = &registry.GetGauge("holdfast_replica_lag_seconds",
                                             "How long ago the state that the replica shows was the newest.",
                                             {{"backend", backend_name}, {"replica", replica.name}});
  }
}

void ReplicaMetrics::Show(const storage::ReadStatistics& now) {
  std::uint64_t in_rotation = 0;
  std::uint64_t reads = 0;
  for (const storage::ReplicaStatistics& replica : now.replicas) {
    if (replica.in_rotation) ++in_rotation;
    reads += replica.reads;
    lags_.at(replica.name)->Set(std::chrono::duration<double>(replica.lag).count());
  }
  in_rotation_.Set(static_cast<double>(in_rotation));
  out_.Set(static_cast<double>(now.replicas.size() - in_rotation));
  Follow(of_primary_, now.primary_reads, &shown_of_primary_);
  Follow(of_replicas_, reads, &shown_of_replicas_);
}

}  // namespace holdfast::service
