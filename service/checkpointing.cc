#include "service/checkpointing.h"

#include <fmt/format.h>

namespace holdfast::service {

std::shared_ptr<durability::Checkpoints> MakeCheckpoints(const StoreSettings& store,
                                                         std::shared_ptr<storage::Backend> backend,
                                                         metrics::Registry& registry) {
  return std::make_shared<durability::Checkpoints>(std::move(backend), store.name, store.checkpoints, SystemClock(),
                                                   registry);
}

Status RecoverCheckpoints(const storage::StoreRegistry& stores, const std::function<bool()>& stopping) {
  for (const storage::Store& store : stores.stores()) {
    HOLDFAST_RETURN_IF_ERROR(
        store.checkpoints->Recover(stopping).WithContext(fmt::format("the checkpoints of store {}", store.name)));
  }
  return {};
}

void StartCheckpoints(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.checkpoints->Start();
}

void StopCheckpoints(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) store.checkpoints->Stop();
}

}  // namespace holdfast::service
