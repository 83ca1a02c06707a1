// The backups of the stores of the running service: making, starting and stopping them.
#pragma once

#include <memory>

#include "base/metrics/metrics.h"
#include "service/settings.h"
#include "service/storage/change_history.h"
#include "service/storage/store.h"

namespace holdfast::service {

// Null where the settings name neither a place for them nor one of another deployment. `backend`: the store's, without
// what refuses writes for a quota; `checkpoints`: the store's, through which a restore goes; `history`: of the store's
// changes, null where none are kept.
std::shared_ptr<storage::StoreBackups> MakeBackups(const StoreSettings& store,
                                                   std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<durability::Checkpoints> checkpoints,
                                                   std::shared_ptr<storage::ChangeHistory> history,
                                                   metrics::Registry& registry);

void StartBackups(const storage::StoreRegistry& stores);
// Before the checkpoints: ends what runs, and waits for a restore that has begun.
void StopBackups(const storage::StoreRegistry& stores);

}  // namespace holdfast::service
