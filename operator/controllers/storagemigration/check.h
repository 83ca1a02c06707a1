// Whether a store can be moved as its cluster is: what the service would refuse to start with, and what the operator
// cannot do. Pure.
#pragma once

#include <optional>

#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/storage_migration.h"
#include "operator/controllers/storagemigration/decision.h"

namespace holdfast::storagemigration {

// Nothing: it can.
std::optional<Said> WhyNot(const api::StorageMigration& migration, const api::StorageCluster& cluster);
// What should stand in the cluster's status while it moves. `caller`: of api::StoreMove.
api::StoreMove WantedMove(const api::StorageMigration& migration, const api::StorageCluster& cluster,
                          const std::string& caller);

}  // namespace holdfast::storagemigration
