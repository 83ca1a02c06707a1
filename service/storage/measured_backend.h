// Counts and times every operation of a backend, under the store's name:
//   holdfast_operations_total{store,backend,operation,result}
//   holdfast_operation_duration_seconds{store,backend,operation}
// `result` is "ok" or an error code's name. Each operation of a batch is counted by itself and takes as long as the
// batch, which is what its caller waited for. Besides the operations of types.h: transact, scan, count, delete_range.
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/storage/backend.h"

namespace holdfast::storage {

// `registry` outlives the backend it returns. Several may wrap one backend, each for a store of its own.
std::shared_ptr<Backend> MakeMeasuredBackend(std::shared_ptr<Backend> backend, const std::string& store,
                                             const std::string& backend_name, metrics::Registry& registry);

}  // namespace holdfast::storage
