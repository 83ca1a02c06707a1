#include "service/backup/source_backups.h"

#include <fmt/format.h>

#include <utility>

#include "service/backup/backup_info.h"

namespace holdfast::backup {

using storage::BackupAction;
using storage::BackupInfo;
using storage::BackupRun;

SourceBackups::SourceBackups(std::shared_ptr<const SourceStore> source, Queue queue)
    : source_(std::move(source)), queue_(std::move(queue)) {}

Result<BackupRun> SourceBackups::Begin(BackupAction action, const std::string& id) {
  if (action == BackupAction::kVerify || action == BackupAction::kRestore) return Begin(action, id, std::nullopt);
  return Error(ErrorCode::kInvalidArgument,
               "source: the backups of another deployment are only read here; they can be verified and restored");
}

Result<BackupRun> SourceBackups::Begin(BackupAction action, const std::string& id, std::optional<Timestamp> to) const {
  BackupRun wanted;
  wanted.action = action;
  wanted.backup = id;
  wanted.source = source_->name;
  wanted.to = to;
  return queue_(std::move(wanted));
}

Result<BackupRun> SourceBackups::BeginRestoreTo(Timestamp to, const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, source_->List(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string base,
                            source_->changes.BaseFor(to, id, all).WithContext(source_->catalogue.target().Describe()));
  return Begin(BackupAction::kRestore, base, to);
}

Result<std::optional<storage::RestoreWindow>> SourceBackups::Window(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, source_->List(deadline));
  return source_->changes.Window(all, deadline);
}

Result<std::vector<BackupInfo>> SourceBackups::List(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, source_->List(deadline));
  return InfosOf(all);
}

Result<BackupInfo> SourceBackups::Get(const std::string& id, Deadline deadline) {
  auto stored = source_->catalogue.Get(id, deadline);
  if (stored.ok()) return InfoOf(*stored);
  return std::move(stored).error().WithContext(source_->catalogue.target().Describe());
}

}  // namespace holdfast::backup
