// Metrics of a store that moves to another backend:
//   holdfast_migration_phase{store}                 0 idle, 1 dual_write, 2 verifying, 3 verified, 4 reads_switched,
//                                                   5 cut_over, 6 aborting; as this instance knows it
//   holdfast_migration_missed_writes_total{store}   acknowledged writes that the target did not take while it was
//   filled
#pragma once

#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "service/dual_write/dual_write_backend.h"

namespace holdfast::service {

// `registry` keeps the store's backend.
void ExportMigration(const std::string& store, std::shared_ptr<const dual_write::DualWriteBackend> moving,
                     metrics::Registry& registry);

}  // namespace holdfast::service
