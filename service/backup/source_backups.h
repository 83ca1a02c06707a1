// What the API may ask of the backups of a store of another deployment.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/backup/source_place.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Thread-safe.
class SourceBackups final : public storage::ReadableBackups {
 public:
  // Queues a run of which action, backup, source and to are there, among those of the store that is restored into.
  using Queue = std::function<Result<storage::BackupRun>(storage::BackupRun wanted)>;

  SourceBackups(std::shared_ptr<const SourceStore> source, Queue queue);

  Result<storage::BackupRun> Begin(storage::BackupAction action, const std::string& id) override;
  Result<storage::BackupRun> BeginRestoreTo(Timestamp to, const std::string& id, Deadline deadline) override;
  Result<std::optional<storage::RestoreWindow>> Window(Deadline deadline) override;
  Result<std::vector<storage::BackupInfo>> List(Deadline deadline) override;
  Result<storage::BackupInfo> Get(const std::string& id, Deadline deadline) override;

 private:
  Result<storage::BackupRun> Begin(storage::BackupAction action, const std::string& id,
                                   std::optional<Timestamp> to) const;

  const std::shared_ptr<const SourceStore> source_;
  const Queue queue_;
};

}  // namespace holdfast::backup
