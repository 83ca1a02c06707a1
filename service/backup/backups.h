// The backups of a store: making, verifying, restoring and removing them, one run at a time and in the background.
//
// A restore goes through the store's checkpoints: the backup is read from the target into a checkpoint, every object
// compared with the manifest, and that checkpoint is restored, which reads all of it and takes an undo before anything
// of the store changes. Instances that share a target keep out of each other's way: backups are only ever added whole,
// and one that is removed under a reader is told from a damaged one.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "service/backup/backup_metrics.h"
#include "service/backup/backup_options.h"
#include "service/backup/catalogue.h"
#include "service/backup/chain.h"
#include "service/backup/change_archive.h"
#include "service/backup/create.h"
#include "service/backup/drill.h"
#include "service/backup/prune.h"
#include "service/backup/run_table.h"
#include "service/backup/scheduler.h"
#include "service/backup/source_place.h"
#include "service/durability/checkpoints.h"
#include "service/execution/task_pool.h"
#include "service/storage/periodic_task.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Runs that wait for their turn.
inline constexpr std::size_t kMaxWaitingRuns = 8;

// Thread-safe.
class Backups final : public storage::StoreBackups, public ScheduledRuns {
 public:
  // `clock` and `registry` outlive it. `source.backend` is the store's, without what refuses writes. `scratch`: where
  // drills restore to; null: there are none. `changes`: without a target there is no change log. `target`: null, the
  // store has no backups of its own. `source_place`: null, it restores none of another deployment.
  Backups(Source source, std::shared_ptr<Target> target, std::shared_ptr<durability::Checkpoints> checkpoints,
          const BackupOptions& options, const Clock& clock, metrics::Registry& registry,
          std::unique_ptr<ScratchPlace> scratch = nullptr, ChangePlace changes = {},
          std::unique_ptr<SourcePlace> source_place = nullptr);
  ~Backups() override { Stop(); }

  void Start() override;
  void Stop() override;
  Result<storage::BackupRun> Begin(storage::BackupAction action, const std::string& id) override;
  Result<storage::BackupRun> BeginRestoreTo(Timestamp to, const std::string& id, Deadline deadline) override;
  Result<std::optional<storage::RestoreWindow>> Window(Deadline deadline) override;
  bool IsBusy() const override { return runs_.IsBusy(); }
  Result<storage::BackupRun> BeginClaimed(const std::string& id) override;
  Result<storage::BackupRun> BeginDrill(const std::string& id) override {
    return Begin(storage::BackupAction::kDrill, id);
  }
  bool HasPlace() const override { return has_place_; }
  Result<std::unique_ptr<storage::ReadableBackups>> OfSource(const std::string& store) override;
  Result<storage::BackupRun> FindRun(const std::string& run) override { return runs_.Find(run); }
  Result<std::vector<storage::BackupInfo>> List(Deadline deadline) override;
  Result<storage::BackupInfo> Get(const std::string& id, Deadline deadline) override;
  std::optional<storage::BackupSchedule> Schedule() const override;
  Status Delete(const std::string& id, Deadline deadline) override;

 private:
  // What a restore is read from.
  struct Reading {
    Target& target;
    ChangeArchive* changes;  // may be null where it is not one to a time
  };

  // `wanted`: action, backup, source and to.
  Result<storage::BackupRun> Queue(storage::BackupRun wanted, bool claimed);
  void Run(const storage::BackupRun& run, bool claimed);
  void Tell(const storage::BackupRun& run, const Status& done, std::size_t removed) const;
  Status Do(const storage::BackupRun& run, bool claimed, Work& work, storage::BackupRun* outcome);
  Status Create(const storage::BackupRun& run, bool claimed, Work& work, storage::BackupRun* outcome);
  // What an increment builds on; empty where there is nothing, and `outcome` says why it is a full one.
  Result<Chain> ParentOf(const storage::BackupRun& run, bool claimed, Work& work, storage::BackupRun* outcome);
  Status Verify(const std::string& id, Work& work, storage::BackupRun* outcome);
  Status Drill(const std::string& id, Work& work, storage::BackupRun* outcome);
  // What is done with a backup of another deployment, of which nothing is recorded there.
  Status DoOfSource(const storage::BackupRun& run, Work& work, storage::BackupRun* outcome);
  Status Restore(const Chain& chain, const Reading& from, const storage::BackupRun& run, Work& work,
                 storage::BackupRun* outcome);
  // What a restore is made of.
  Result<durability::ByteSource> CheckpointOf(const Chain& chain, const Reading& from, std::optional<Timestamp> to,
                                              Work& work);
  // One that turned out to be damaged is verified no more, nor is what it builds on: which of them it is is not known.
  Status Judge(const Chain& chain, Status read) const;
  void Unmark(const std::string& id) const;
  // As OpenChain.
  Result<Chain> OpenSound(const std::string& id, Work& work) const;
  Status PruneNow(const std::string& kept, Work& work, storage::BackupRun* outcome);
  void Observe(Deadline deadline);

  const Source source_;
  const bool has_place_;
  const Catalogue catalogue_;
  const std::shared_ptr<durability::Checkpoints> checkpoints_;
  const BackupOptions options_;
  const std::unique_ptr<SourcePlace> source_place_;  // null: the settings name none
  const std::unique_ptr<ScratchPlace> scratch_;
  const Clock& clock_;
  BackupMetrics metrics_;
  RunTable runs_;
  std::stop_source stop_;
  std::unique_ptr<ChangeArchive> changes_;  // null: there is no place for one
  std::unique_ptr<Scheduler> scheduler_;    // null: there is no schedule
  // Last: their threads end before what they use.
  execution::TaskPool pool_;
  std::unique_ptr<storage::PeriodicTask> looks_;
};

}  // namespace holdfast::backup
