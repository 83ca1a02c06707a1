// Metrics of stores that acknowledge writes before their backend has them:
//   holdfast_write_queue_entries{store}          writes that wait
//   holdfast_write_queue_bytes{store}            their keys and values
//   holdfast_write_queue_oldest_seconds{store}   how long the oldest has waited
//   holdfast_write_queue_away{store}             1 while the backend does not take what it is brought
//   holdfast_write_queue_settled_total{store,result}  writes that left: written, coalesced, conflict
//   holdfast_write_queue_retries_total{store}    attempts that failed
//   holdfast_write_queue_refused_total{store}    writes for which there was no room
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/write_queue_status.h"

namespace holdfast::service {

// `registry` keeps the view.
void ExportWriteQueue(const std::string& store, std::shared_ptr<const storage::WriteQueueView> view,
                      metrics::Registry& registry);

}  // namespace holdfast::service
