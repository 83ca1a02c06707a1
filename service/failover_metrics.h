// What a store with a secondary backend shows:
//   holdfast_failover_on_secondary{store}             1 while the secondary answers, else 0
//   holdfast_failover_copy_complete{store}            1 once the secondary has had a copy of everything
//   holdfast_failover_copy_lag_seconds{store}         how far the copy is behind at most; -1 while unknown
//   holdfast_failover_pending_keys{store}             changed, and not copied yet
//   holdfast_failover_copied_total{store}             states of keys that were copied
//   holdfast_failover_comparisons_total{store}        comparisons of everything: at the start, and after changes were
//   missed holdfast_failover_journal_keys{store}             written on the secondary, and waiting for the primary
//   holdfast_failover_replayed_total{store,result}    of these: written to the primary, or kept as conflict
//   holdfast_failover_refused_writes_total{store}     that the secondary did not take
//   holdfast_failover_switches_total{store,to}        to the secondary, to the primary
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/failover_status.h"

namespace holdfast::service {

// `registry` keeps the view.
void ExportFailover(const std::string& store, std::shared_ptr<const storage::FailoverView> view,
                    metrics::Registry& registry);

}  // namespace holdfast::service
