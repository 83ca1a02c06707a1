// The checkpoints of the stores of the running service: making, recovering, starting and stopping them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/settings.h"
#include "service/storage/store.h"

namespace holdfast::service {

// `backend`: the store's, without what refuses writes for a quota; a restore puts back what there was.
std::shared_ptr<durability::Checkpoints> MakeCheckpoints(const StoreSettings& store,
                                                         std::shared_ptr<storage::Backend> backend,
                                                         metrics::Registry& registry);

// Before requests are served: finishes restores that were interrupted, and waits for those of other instances.
// kCancelled as soon as `stopping` says so.
Status RecoverCheckpoints(const storage::StoreRegistry& stores, const std::function<bool()>& stopping);
// Those that are taken by themselves, from now on.
void StartCheckpoints(const storage::StoreRegistry& stores);
// When nothing is written any more: takes the last ones where they are asked for, and ends what is in progress.
void StopCheckpoints(const storage::StoreRegistry& stores);

}  // namespace holdfast::service
