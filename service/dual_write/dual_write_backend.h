// A store that moves from one backend to another while it is in use: any source, any target with transactions. The
// phases are in phase.h; docs/store-migration.md says what each promises.
//
// Until the cut-over the source decides everything: preconditions, transactions, versions, locks. What is acknowledged
// is as durable as the source makes it; from `verifying` on the target has it as well (`strict`). Per key the target
// only ever goes forward (mirror.h), whoever else copies at the same time. Where the target answers reads, clients see
// the source's versions (target_reader.h), and the rows that locks and single requests rest on are read in the source.
//
// In a strict phase an intent is put into the target before the source is written, and removed with the copy. What a
// crash, an unknown outcome or a failing target leaves behind is therefore known, and is copied before reads are
// switched or the source is given up.
//
// Before, and after the cut-over, all calls go to the one backend, unchanged. The rows of the migration are never
// shown.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "service/dual_write/dual_writer.h"
#include "service/dual_write/membership.h"
#include "service/dual_write/mirror.h"
#include "service/dual_write/mover.h"
#include "service/dual_write/target_reader.h"
#include "service/storage/backend.h"
#include "service/storage/key_locks.h"
#include "service/storage/store_migration.h"

namespace holdfast::dual_write {

struct DualWriteOptions {
  std::string store;        // names the rows
  storage::KeyRange range;  // what moves: the store's own keys; nothing else is written to
  storage::Limits limits;   // what callers are held to; those of both backends are WithRoomForRows of them
  MembershipOptions membership;
  MoverOptions mover;
};

// Of a migration, for people.
struct MigrationState {
  PhaseRow row;
  Progress progress;
  std::size_t instances = 0;  // with a lease
};

class DualWriteBackend final : public storage::Backend, public storage::StoreMigration {
 public:
  DualWriteBackend(std::shared_ptr<storage::Backend> source, std::shared_ptr<storage::Backend> target,
                   DualWriteOptions options);
  ~DualWriteBackend() override;

  // Finds out where the migration stands and takes part from then on. Behind SetChangeListener, before anything is
  // asked. Fails when the target cannot be asked, which alone knows of a cut-over if the source has lost its data.
  Status Start(Deadline deadline) override;
  // Ends taking part; the backends stay open. Idempotent. Calls are kUnavailable from then on.
  void Stop() override;

  Result<MigrationState> State(Deadline deadline);
  // Begins the change and waits for it as long as the deadline allows. kFailedPrecondition names what has to come
  // first.
  Status Act(Action action, Deadline deadline);
  Result<storage::MigrationReport> Report(Deadline deadline) override;
  storage::MigrationReport Known() const override;
  Status Do(std::string_view action, Deadline deadline) override;
  // Of this instance: acknowledged writes that the target did not take while it may be passed over.
  std::uint64_t missed_writes() const { return writer_.missed(); }
  // Of this instance: keys copied, compared or removed in the background.
  std::uint64_t moved_keys() const { return mover_.keys(); }
  // Of this instance, without asking anybody.
  Phase phase() const { return shared_->phase.load(std::memory_order_acquire); }

  std::string_view kind() const override { return "dualwrite"; }
  storage::Capabilities capabilities() const override;
  const storage::Limits& limits() const override { return options_.limits; }
  void Execute(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
               Deadline deadline) override;
  Result<storage::TransactionResult> Transact(const storage::Transaction& transaction, Deadline deadline) override;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) override;
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) override;
  Result<std::uint64_t> DeleteRange(const storage::KeyRange& range, Deadline deadline) override;
  Status CheckHealth(Deadline deadline) override;
  // Of the one that decides, without the rows as far as they can be told from the rest.
  storage::Statistics statistics() const override;
  storage::Maintenance* maintenance() override { return Deciding().maintenance(); }
  // Gives both backends a listener.
  void SetChangeListener(std::shared_ptr<storage::ChangeListener> listener) override;
  [[nodiscard]] bool AwaitListener() override { return Deciding().AwaitListener(); }
  // Closes both.
  Status Close() override;

  // Tell `listener` of what changes in the source, or in the target, while that one decides. For who gives the backends
  // a listener itself.
  std::shared_ptr<storage::ChangeListener> SourceListener(std::shared_ptr<storage::ChangeListener> listener) const;
  std::shared_ptr<storage::ChangeListener> TargetListener(std::shared_ptr<storage::ChangeListener> listener) const;

 private:
  class Filter;
  // With the listeners, which the backends may keep for longer.
  struct Shared {
    std::atomic<Phase> phase{Phase::kIdle};
    std::atomic<std::uint64_t> expired_rows{0};  // of the source
  };

  // The one that has the store: the target after the cut-over.
  storage::Backend& Deciding() const { return phase() == Phase::kCutOver ? *target_ : *source_; }
  Status Settle(const PhaseRow& pending, Deadline deadline);
  Status MoveFences(const PhaseRow& pending, const std::string& value, Deadline deadline) const;
  Status CheckStart(Deadline deadline) const;
  // Of operations that are valid.
  void ExecuteValid(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
                    Deadline deadline);
  // Of gets, when the target answers them.
  void ReadSwitched(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results,
                    Deadline deadline);
  Result<std::uint64_t> DeleteInBoth(const storage::KeyRange& range, Deadline deadline);

  const std::shared_ptr<storage::Backend> source_;
  const std::shared_ptr<storage::Backend> target_;
  const DualWriteOptions options_;
  const Rows rows_;
  const Mirror mirror_;
  const TargetReader reader_;
  storage::KeyLocks locks_;
  const std::shared_ptr<Shared> shared_;
  Membership membership_;
  DualWriter writer_;
  Mover mover_;  // last: its thread ends first
};

}  // namespace holdfast::dual_write
