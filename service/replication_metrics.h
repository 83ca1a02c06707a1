// Metrics of stores on several replicas, asked for at every scrape:
//   holdfast_replication_up{store}                   replicas that are up
//   holdfast_replication_replica_up{store,backend}   1 while the replica is up, else 0
//   holdfast_replication_waiting_batches{store,backend}  batches of writes that wait for the replica
//   holdfast_replication_in_doubt_batches{store}     that fewer replicas have than the quorum
//   holdfast_replication_term{store}                 rises with every start; 0 while too few replicas are there
//   holdfast_replication_comparisons_total{store}    of a replica with the leader
//   holdfast_replication_copied_rows_total{store}    rows that they wrote or removed
//   holdfast_replication_divergences_total{store}    keys of which replicas had not the same
//   holdfast_replication_conflicts_total{store}      writes that one replica had and the store has not
//   holdfast_replication_leader_changes_total{store}
// and with a comparison in the background:
//   holdfast_replication_compare_rounds_total{store,result}  result: complete, unfinished
//   holdfast_replication_compared_keys_total{store}
//   holdfast_replication_mended_keys_total{store}    of which replicas had not the same, and have
//   holdfast_replication_undecided_keys{store}       of the last round, of which nothing says which replica is right
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/replication_status.h"

namespace holdfast::service {

// `registry` outlives the view.
void ExportReplication(const std::string& store, std::shared_ptr<const storage::ReplicationView> view,
                       metrics::Registry& registry);

}  // namespace holdfast::service
