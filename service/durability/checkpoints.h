// The checkpoints of a store: taking, keeping and restoring them.
//
// A restore reads all of the checkpoint first, takes one of what there is (its undo), and leaves a mark beside them
// before it changes anything; the mark goes when it is done. A process that ends in between finds the mark at its next
// start and finishes the restore before it serves the store; if the checkpoint has become unreadable meanwhile, it
// restores the undo instead. If neither can be read, the service does not start: half a restore is not served silently.
//
// Several instances may share a backend and the folder. Whoever takes, restores or removes holds the folder's lock
// (store_lock.h), so a mark whose lock is free was left by an instance that has ended: the others look every second,
// and one of them finishes. A start waits for an instance that is at a restore, and only for that.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/metrics/metrics.h"
#include "base/time/backoff.h"
#include "base/time/clock.h"
#include "service/durability/checkpoint_directory.h"
#include "service/durability/checkpoint_export.h"
#include "service/durability/restore.h"
#include "service/durability/retention.h"
#include "service/execution/task_pool.h"
#include "service/storage/periodic_task.h"
#include "service/storage/store_checkpoints.h"

namespace holdfast::durability {

struct CheckpointOptions {
  std::string directory;
  RetentionOptions retention;
  std::chrono::microseconds interval{};      // between those taken by themselves; 0: none
  std::chrono::microseconds min_interval{};  // between one that is asked for and the one before; 0: any
  bool at_shutdown = false;
  bool validate = true;                                                  // read each one after it was written
  std::chrono::microseconds timeout{std::chrono::minutes{10}};           // of those taken by themselves
  std::chrono::microseconds shutdown_timeout{std::chrono::seconds{10}};  // of the last one
  std::chrono::microseconds start_wait{std::chrono::minutes{10}};        // of a start, for another instance's restore
  WriterOptions writer;
};

// Tasks that wait for their turn.
inline constexpr std::size_t kMaxWaitingTasks = 8;
// That are read at once through Export: each keeps a snapshot of the store open.
inline constexpr int kMaxExports = 4;
// Between attempts to finish what another instance left.
inline constexpr BackoffPolicy kFinishPauses{std::chrono::seconds{2}, std::chrono::minutes{1}, 0.5};

struct CheckpointMetrics;

// Thread-safe.
class Checkpoints final : public storage::StoreCheckpoints {
 public:
  // `backend` is the store's, without what refuses writes (quotas); `clock` and `registry` outlive it. Opens nothing.
  Checkpoints(std::shared_ptr<storage::Backend> backend, std::string store, const CheckpointOptions& options,
              const Clock& clock, metrics::Registry& registry);
  ~Checkpoints() override { End(); }

  Status Recover(const std::function<bool()>& stopping) override;
  void Start() override;
  void Stop() override;
  bool Run(std::function<void()> task) override { return pool_.Add(std::move(task)); }
  Result<storage::CheckpointInfo> Create(const std::string& id, Deadline deadline) override;
  Result<std::unique_ptr<storage::CheckpointStream>> Export(Deadline deadline) override;
  Result<std::vector<storage::CheckpointInfo>> List() override;
  Result<storage::CheckpointInfo> Get(const std::string& id) override;
  Status Delete(const std::string& id, Deadline deadline) override;
  Result<storage::CheckpointInfo> Validate(const std::string& id, Deadline deadline) override;
  Result<storage::RestoreReport> Restore(const std::string& id, Deadline deadline) override;
  Result<storage::RestoreReport> RestoreFrom(const ReadCheckpoint& read, Deadline deadline) override;
  // The same of what `source` gives until `end`, if `accept` takes it, which is asked when all of it is there; empty:
  // it is taken. Until `turn` it waits for what others do with checkpoints of the store; they wait meanwhile.
  using Accept = std::function<Status(const storage::CheckpointInfo& info)>;
  Result<storage::RestoreReport> RestoreFrom(const ByteSource& source, const Accept& accept, Deadline turn,
                                             Deadline end);

 private:
  Result<storage::CheckpointInfo> Take(const std::string& id, CheckpointReason reason, Deadline deadline);
  Result<std::unique_ptr<CheckpointExport>> OpenExport(const std::string& id, CheckpointReason reason,
                                                       Deadline deadline);
  Result<CheckpointSummary> Write(const std::string& id, CheckpointReason reason, Deadline deadline);
  Result<ValidCheckpoint> Read(const std::string& id, Deadline deadline);
  // With the lock, like the next three. On any error there is no trace of it.
  Status Import(const std::string& id, const ByteSource& source, Deadline deadline);
  void RemoveImported(const std::string& id) const;
  Result<storage::RestoreReport> RestoreStored(const std::string& id, Deadline deadline);
  Result<RestoreCounts> Apply(const std::string& id);
  // Of the mark, if there is one; with the lock.
  Status FinishRestore();
  // What an instance has left that has ended.
  void FinishAbandoned();
  // True: a restore is not finished, so what is there is not worth keeping. With the lock.
  bool IsHalfRestored() const;
  // Stop without the last one.
  void End();
  // Takes one when the newest is older than the interval.
  void TakeDue();
  void TakeLast();
  void Prune();
  void Observe();

  const std::shared_ptr<storage::Backend> backend_;
  const std::string store_;
  const CheckpointOptions options_;
  const Clock& clock_;
  const CheckpointDirectory directory_;
  const std::shared_ptr<CheckpointMetrics> metrics_;
  const std::shared_ptr<std::atomic<int>> exports_ = std::make_shared<std::atomic<int>>(0);  // being read
  bool recovered_ = false;  // of Recover and Stop, which are one thread's
  // One of Create, Delete, Restore at a time, whoever's thread it is; taken before the folder's lock.
  std::mutex mutex_;
  // Of FinishAbandoned, guarded by mutex_.
  Backoff finish_pauses_{kFinishPauses};
  Deadline next_finish_ = Deadline::After({});
  // Last, so that their threads end before what they use.
  std::unique_ptr<storage::PeriodicTask> periodic_;
  execution::TaskPool pool_;
};

}  // namespace holdfast::durability
