// Writes status.moves of a StorageCluster, beside whatever else is written there. Each is level-based: what stands
// there is changed only as far as it is this migration's.
#pragma once

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "operator/api/v1/storage_migration.h"
#include "operator/api/v1/store_move.h"
#include "operator/kube/client.h"

namespace holdfast::storagemigration {

// `cluster_object` as it was read. kVersionConflict when others write again and again. Another cluster of that name is
// left alone. kFailedPrecondition: another migration has the store.
Status PrepareMove(kube::Client& client, kube::Json cluster_object, const api::StoreMove& wanted, Deadline deadline);
// The store is in `migration.spec.to` for good.
Status SettleMove(kube::Client& client, kube::Json cluster_object, const api::StorageMigration& migration,
                  Deadline deadline);
// The store stays where it is.
Status ForgetMove(kube::Client& client, kube::Json cluster_object, const api::StorageMigration& migration,
                  Deadline deadline);

}  // namespace holdfast::storagemigration
