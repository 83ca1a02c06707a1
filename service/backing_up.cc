#include "service/backing_up.h"

#include "service/backup/backups.h"
#include "service/backup/folder_target.h"
#include "service/backup/s3_target.h"
#include "service/backup_scratch.h"

namespace holdfast::service {
namespace {

// `Place`: BackupOptions or SourceOptions; `part`: of it, for a store. Null where it names none.
template <typename Place>
std::unique_ptr<backup::Target> MakeTarget(const Place& place, const std::string& part) {
  if (place.s3) return backup::MakeS3Target(*place.s3, part);
  if (place.directory.empty()) return nullptr;
  return backup::MakeFolderTarget(place.directory, part);
}

std::unique_ptr<backup::SourcePlace> MakeSourcePlace(const backup::BackupOptions& options,
                                                     metrics::Registry& registry) {
  if (!options.source) return nullptr;
  const auto open = [source = *options.source](const std::string& part) { return MakeTarget(source, part); };
  return std::make_unique<backup::SourcePlace>(open, options, SystemClock(), registry);
}

}  // namespace

std::shared_ptr<storage::StoreBackups> MakeBackups(const StoreSettings& store,
                                                   std::shared_ptr<storage::Backend> backend,
                                                   std::shared_ptr<durability::Checkpoints> checkpoints,
                                                   std::shared_ptr<storage::ChangeHistory> history,
                                                   metrics::Registry& registry) {
  std::shared_ptr<backup::Target> target = MakeTarget(store.backups, store.name);
  if (!target && !store.backups.source) return nullptr;
  const std::string changes = store.name + std::string(backup::kChangesSuffix);
  return std::make_shared<backup::Backups>(backup::Source{std::move(backend), store.name}, std::move(target),
                                           std::move(checkpoints), store.backups, SystemClock(), registry,
                                           MakeScratchPlace(store.backups.drill, store.name),
                                           backup::ChangePlace{MakeTarget(store.backups, changes), std::move(history)},
                                           MakeSourcePlace(store.backups, registry));
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
