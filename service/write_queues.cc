#include "service/write_queues.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/write_queue_metrics.h"

namespace holdfast::service {

std::shared_ptr<storage::Backend> MakeWriteBehind(const StoreSettings& wanted, std::shared_ptr<storage::Backend> tiered,
                                                  std::shared_ptr<storage::Backend> queue, storage::Store* store,
                                                  metrics::Registry& registry) {
  composition::WriteBehindOptions options = wanted.write_queue->options;
  options.drain.on_change = [name = wanted.name](bool away, const std::string& reason) {
    log::Write(away ? log::Level::kWarn : log::Level::kInfo,
               away ? "queued writes wait: the backend does not take them" : "queued writes are taken again",
               {{"store", name}, {"reason", reason}});
  };
  auto behind = std::make_shared<composition::WriteBehindBackend>(std::move(tiered), std::move(queue), options);
  store->write_queue = behind;
  ExportWriteQueue(wanted.name, behind, registry);
  return behind;
}

Status StartWriteQueues(const storage::StoreRegistry& stores, Deadline deadline) {
  for (const storage::Store& store : stores.stores()) {
    if (store.write_queue == nullptr) continue;
    HOLDFAST_RETURN_IF_ERROR(
        store.write_queue->Start(deadline).WithContext(fmt::format("the writes of store {}", store.name)));
    const std::uint64_t left = store.write_queue->status().entries;
    if (left > 0) log::Info("queued writes of an earlier process", {{"store", store.name}, {"entries", left}});
  }
  return {};
}

void StopWriteQueues(const storage::StoreRegistry& stores, Deadline deadline) {
  for (const storage::Store& store : stores.stores()) {
    if (store.write_queue == nullptr) continue;
    store.write_queue->Stop(deadline);
    const std::uint64_t left = store.write_queue->status().entries;
    if (left > 0) log::Warn("queued writes are left for the next start", {{"store", store.name}, {"entries", left}});
  }
}

}  // namespace holdfast::service
