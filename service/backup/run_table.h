// What was asked for of a store's backups in this process: what waits, what runs, and the last ones that have finished.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "service/backup/work.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Finished ones beyond so many are forgotten, the oldest first.
inline constexpr std::size_t kMaxRuns = 100;

// Thread-safe.
class RunTable {
 public:
  explicit RunTable(const Clock& clock) : clock_(clock) {}

  // Of `wanted` its action, backup, source and to.
  storage::BackupRun Add(storage::BackupRun wanted);
  // It was never begun after all.
  void Forget(const std::string& run);
  void Begin(const std::string& run, std::shared_ptr<const Work> work);
  // It needs these backups too, until it ends.
  void Use(const std::string& run, const std::vector<std::string>& backups);
  // `outcome`: what stands in it of results is taken over.
  void Finish(const std::string& run, storage::BackupRun outcome);
  // kNotFound.
  Result<storage::BackupRun> Find(const std::string& run) const;
  // One has not finished.
  bool IsBusy() const;
  // The store's own backups that those name which have not finished.
  std::set<std::string> InUse() const;

 private:
  struct Row {
    storage::BackupRun run;
    std::shared_ptr<const Work> work;  // while it runs
    std::vector<std::string> uses;
  };
  Row* FindRow(const std::string& run);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<Row> rows_;  // guarded by mutex_; the newest last
};

}  // namespace holdfast::backup
