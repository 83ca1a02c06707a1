#include "service/backing_up.h"

#include "service/backup/backups.h"
#include "service/backup/folder_target.h"
#include "service/backup/s3_target.h"
#include "service/backup_scratch.h"

namespace holdfast::service {
namespace {

// `part`: of the place, for this store.
std::shared_ptr<backup::Target> MakeTarget(const StoreSettings& store, const std::string& part) {
  if (store.backups.s3) return backup::MakeS3Target(*store.backups.s3, part);
  if (store.backups.directory.empty()) return nullptr;
  return backup::MakeFolderTarget(store.backups.directory, part);
}

}  // namespace

std::shared_ptr<storage::StoreBackups> MakeBackups(const StoreSettings& store,
                                                   std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<durability::Checkpoints> checkpoints,
                                                   std::shared_ptr<storage::ChangeHistory> history,
                                                   metrics::Registry& registry) {
  std::shared_ptr<backup::Target> target = MakeTarget(store, store.name);
  if (!target) return nullptr;
  const std::string changes = store.name + std::string(backup::kChangesSuffix);
  return std::make_shared<backup::Backups>(backup::Source{std::move(backend), store.name}, std::move(target),
                                           std::move(checkpoints), store.backups, SystemClock(), registry,
                                           MakeScratchPlace(store.backups.drill, store.name),
                                           backup::ChangePlace{MakeTarget(store, changes), std::move(history)});
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
