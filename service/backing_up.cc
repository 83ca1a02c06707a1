#include "service/backing_up.h"

#include "service/backup/backups.h"
#include "service/backup/folder_target.h"
#include "service/backup/s3_target.h"
#include "service/backup_scratch.h"

namespace holdfast::service {
namespace {

std::shared_ptr<backup::Target> MakeTarget(const StoreSettings& store) {
  if (store.backups.s3) return backup::MakeS3Target(*store.backups.s3, store.name);
  if (store.backups.directory.empty()) return nullptr;
  return backup::MakeFolderTarget(store.backups.directory, store.name);
}

}  // namespace

std::shared_ptr<storage::StoreBackups> MakeBackups(const StoreSettings& store,
                                                   std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<durability::Checkpoints> checkpoints,
                                                   metrics::Registry& registry) {
  std::shared_ptr<backup::Target> target = MakeTarget(store);
  if (!target) return nullptr;
  return std::make_shared<backup::Backups>(backup::Source{std::move(backend), store.name}, std::move(target),
                                           std::move(checkpoints), store.backups, SystemClock(), registry,
                                           MakeScratchPlace(store.backups.drill, store.name));
}

void StartBackups(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) {
    if (store.backups) store.backups->Start();
  }
}

void StopBackups(const storage::StoreRegistry& stores) {
  for (const storage::Store& store : stores.stores()) {
    if (store.backups) store.backups->Stop();
  }
}

}  // namespace holdfast::service
