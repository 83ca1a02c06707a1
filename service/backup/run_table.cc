#include "service/backup/run_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/durability/checkpoint_directory.h"

namespace holdfast::backup {

using storage::BackupRun;

RunTable::Row* RunTable::FindRow(const std::string& run) {
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&run](const Row& row) { return row.run.id == run; });
  return found == rows_.end() ? nullptr : &*found;
}

BackupRun RunTable::Add(BackupRun wanted) {
  std::lock_guard lock(mutex_);
  const auto finished =
      std::find_if(rows_.begin(), rows_.end(), [](const Row& row) { return row.run.finished_at.has_value(); });
  if (rows_.size() >= kMaxRuns && finished != rows_.end()) rows_.erase(finished);
  Row row;
  row.run = std::move(wanted);
  row.run.asked_at = clock_.Now();
  row.run.id = durability::MakeCheckpointId(row.run.asked_at);
  rows_.push_back(row);
  return row.run;
}

void RunTable::Forget(const std::string& run) {
  std::lock_guard lock(mutex_);
  std::erase_if(rows_, [&run](const Row& row) { return row.run.id == run; });
}

void RunTable::Begin(const std::string& run, std::shared_ptr<const Work> work) {
  std::lock_guard lock(mutex_);
  Row* const row = FindRow(run);
  if (row == nullptr) return;
  row->run.begun_at = clock_.Now();
  row->work = std::move(work);
}

void RunTable::Use(const std::string& run, const std::vector<std::string>& backups) {
  std::lock_guard lock(mutex_);
  Row* const row = FindRow(run);
  if (row != nullptr) row->uses = backups;
}

void RunTable::Finish(const std::string& run, BackupRun outcome) {
  std::lock_guard lock(mutex_);
  Row* const row = FindRow(run);
  if (row == nullptr) return;
  BackupRun& to = row->run;
  to.finished_at = clock_.Now();
  to.error = std::move(outcome.error);
  to.info = std::move(outcome.info);
  to.restored = std::move(outcome.restored);
  to.removed = std::move(outcome.removed);
  to.note = std::move(outcome.note);
  if (row->work) {
    const Progress progress = row->work->progress();
    to.step = progress.step;
    to.bytes = progress.bytes;
    to.total_bytes = progress.total_bytes;
    row->work.reset();
  }
}

Result<BackupRun> RunTable::Find(const std::string& run) const {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(rows_.begin(), rows_.end(), [&run](const Row& row) { return row.run.id == run; });
  if (found == rows_.end()) {
    return Error(ErrorCode::kNotFound,
                 fmt::format("this process knows of no such run: it has forgotten all but the last {}, or was started "
                             "since; the list of backups says what there is",
                             kMaxRuns));
  }
  BackupRun shown = found->run;
  if (found->work) {
    const Progress progress = found->work->progress();
    shown.step = progress.step;
    shown.bytes = progress.bytes;
    shown.total_bytes = progress.total_bytes;
  }
  return shown;
}

bool RunTable::IsBusy() const {
  std::lock_guard lock(mutex_);
  return std::any_of(rows_.begin(), rows_.end(), [](const Row& row) { return !row.run.finished_at; });
}

std::set<std::string> RunTable::InUse() const {
  std::lock_guard lock(mutex_);
  std::set<std::string> backups;
  for (const Row& row : rows_) {
    if (row.run.finished_at) continue;
    // One of another deployment has a name that may be ours too, and is not.
    if (!row.run.backup.empty() && row.run.source.empty()) backups.insert(row.run.backup);
    backups.insert(row.uses.begin(), row.uses.end());
  }
  return backups;
}

}  // namespace holdfast::backup
