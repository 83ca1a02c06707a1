#include "service/backup/backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log/log.h"
#include "service/backup/backup_info.h"
#include "service/backup/change_replay.h"
#include "service/backup/no_target.h"
#include "service/backup/parent_choice.h"
#include "service/backup/removal.h"
#include "service/backup/source_backups.h"

namespace holdfast::backup {
namespace {

using storage::BackupAction;
using storage::BackupInfo;
using storage::BackupRun;

// Between looks at the schedule.
constexpr std::chrono::seconds kLooks{1};
// For a look at the target that nobody asked for.
constexpr std::chrono::seconds kObserving{60};
// What was found out about a backup, also when its run has no time left.
constexpr std::chrono::seconds kRecording{30};

BackupRun Wanted(BackupAction action, const std::string& id) {
  BackupRun run;
  run.action = action;
  run.backup = id;
  return run;
}

}  // namespace

Backups::Backups(Source source, std::shared_ptr<Target> target, std::shared_ptr<durability::Checkpoints> checkpoints,
                 const BackupOptions& options, const Clock& clock, metrics::Registry& registry,
                 std::unique_ptr<ScratchPlace> scratch, ChangePlace changes, std::unique_ptr<SourcePlace> source_place)
    : source_(std::move(source)),
      has_place_(target != nullptr),
      catalogue_(has_place_ ? std::move(target) : MakeNoTarget(), options.key),
      checkpoints_(std::move(checkpoints)),
      options_(options),
      source_place_(std::move(source_place)),
      scratch_(std::move(scratch)),
      clock_(clock),
      metrics_(source_.store, options.max_age, options.drill_max_age, registry),
      runs_(clock),
      pool_(1, kMaxWaitingRuns) {
  if (changes.target) {
    changes_ = std::make_unique<ChangeArchive>(std::move(changes), source_.store, std::string(source_.backend->kind()),
                                               options_, clock_, registry);
  }
  if (!options_.schedule) return;
  scheduler_ = std::make_unique<Scheduler>(source_.store, *options_.schedule, catalogue_, *this, clock_, registry);
}

void Backups::Start() {
  if (changes_) changes_->Start();
  if (has_place_) static_cast<void>(pool_.Add([this] { Observe(Deadline::After(kObserving)); }));
  if (scheduler_) looks_ = std::make_unique<storage::PeriodicTask>(kLooks, [this] { scheduler_->Look(); });
}

void Backups::Stop() {
  if (looks_) looks_->Stop();
  stop_.request_stop();
  pool_.Drain();
  if (changes_) changes_->Stop();
}

Result<BackupRun> Backups::Begin(BackupAction action, const std::string& id) {
  if (!has_place_) return NoPlace();
  std::string backup = id;
  if (action == BackupAction::kCreate || action == BackupAction::kIncrement) {
    if (backup.empty()) backup = durability::MakeCheckpointId(clock_.Now());
    if (!IsName(backup)) {
      return Error(ErrorCode::kInvalidArgument, "the id of a backup is 1 to 63 of a-z, 0-9 and -");
    }
  } else if (action != BackupAction::kPrune && !IsName(backup)) {
    return Error(ErrorCode::kNotFound, "there is no such backup: an id is 1 to 63 of a-z, 0-9 and -");
  }
  return Queue(Wanted(action, backup), false);
}

Result<std::unique_ptr<storage::ReadableBackups>> Backups::OfSource(const std::string& store) {
  if (!source_place_) {
    return Error(ErrorCode::kNotSupported,
                 "the service knows of no other deployment's backups: set backups.source.directory or "
                 "backups.source.s3.endpoint to where they lie");
  }
  HOLDFAST_ASSIGN_OR_RETURN(auto source, source_place_->Open(store));
  return std::unique_ptr<storage::ReadableBackups>(std::make_unique<SourceBackups>(
      std::move(source), [this](BackupRun wanted) { return Queue(std::move(wanted), false); }));
}

Result<BackupRun> Backups::BeginRestoreTo(Timestamp to, const std::string& id, Deadline deadline) {
  if (!has_place_) return NoPlace();
  if (!changes_) return Error(ErrorCode::kNotSupported, "the service has no place for a change log");
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string base, changes_->BaseFor(to, id, all));
  BackupRun wanted = Wanted(BackupAction::kRestore, base);
  wanted.to = to;
  return Queue(std::move(wanted), false);
}

Result<std::optional<storage::RestoreWindow>> Backups::Window(Deadline deadline) {
  if (!changes_) return std::optional<storage::RestoreWindow>();
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(deadline));
  return changes_->Window(all, deadline);
}

Result<BackupRun> Backups::BeginClaimed(const std::string& id) {
  return Queue(Wanted(options_.full_every > 1 ? BackupAction::kIncrement : BackupAction::kCreate, id), true);
}

std::optional<storage::BackupSchedule> Backups::Schedule() const {
  return scheduler_ ? std::optional(scheduler_->Describe()) : std::nullopt;
}

Result<BackupRun> Backups::Queue(BackupRun wanted, bool claimed) {
  BackupRun run = runs_.Add(std::move(wanted));
  if (pool_.Add([this, run, claimed] { Run(run, claimed); })) return run;
  runs_.Forget(run.id);
  return Error(ErrorCode::kUnavailable,
               fmt::format("{} runs of the store's backups wait already; nothing was begun", kMaxWaitingRuns));
}

void Backups::Run(const BackupRun& run, bool claimed) {
  const auto work = std::make_shared<Work>(options_.pace, Deadline::After(options_.timeout), stop_.get_token());
  runs_.Begin(run.id, work);
  const MonotonicTime begin = clock_.Monotonic();
  BackupRun outcome = run;
  Status done = work->GoOn();
  if (done.ok()) done = Do(run, claimed, *work, &outcome);
  // Before it is said to have finished: whoever waited for that finds the new figures.
  metrics_.CountRun(run.action, done.ok() ? nullptr : &done.error(), clock_.Monotonic() - begin);
  if (run.action != BackupAction::kRestore && run.source.empty()) Observe(Deadline::After(kObserving));
  Tell(run, done, outcome.removed.size());
  if (!done.ok()) outcome.error = std::move(done).error();
  runs_.Finish(run.id, std::move(outcome));
}

void Backups::Tell(const BackupRun& run, const Status& done, std::size_t removed) const {
  const auto action = std::string(storage::BackupActionName(run.action));
  const std::string backup =
      run.source.empty() ? run.backup : fmt::format("{} of the source's store {}", run.backup, run.source);
  if (done.ok()) {
    log::Info("a run of the backups is done",
              {{"store", source_.store}, {"action", action}, {"backup", backup}, {"removed", removed}});
  } else {
    log::Error("a run of the backups failed",
               {{"store", source_.store}, {"action", action}, {"backup", backup}, {"error", done.error().ToString()}});
  }
}

Status Backups::Do(const BackupRun& run, bool claimed, Work& work, BackupRun* outcome) {
  if (!run.source.empty()) return DoOfSource(run, work, outcome);
  switch (run.action) {
    case BackupAction::kCreate:
    case BackupAction::kIncrement:
      return Create(run, claimed, work, outcome);
    case BackupAction::kVerify:
      return Verify(run.backup, work, outcome);
    case BackupAction::kDrill:
      return Drill(run.backup, work, outcome);
    case BackupAction::kRestore: {
      HOLDFAST_ASSIGN_OR_RETURN(const Chain chain, OpenSound(run.backup, work));
      return Restore(chain, {catalogue_.target(), changes_.get()}, run, work, outcome);
    }
    case BackupAction::kPrune:
      return PruneNow("", work, outcome);
  }
  return Error(ErrorCode::kInternal, "no such action");
}

Result<Chain> Backups::ParentOf(const BackupRun& run, bool claimed, Work& work, BackupRun* outcome) {
  if (run.action != BackupAction::kIncrement) return Chain{};
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(work.deadline()));
  const std::size_t most =
      claimed ? std::min(options_.max_increments, options_.full_every - 1) : options_.max_increments;
  const ParentChoice choice = ChooseParent(all, {most, options_.verify});
  outcome->note = choice.reason;
  if (!choice.id) return Chain{};
  auto chain = OpenChain(catalogue_, *choice.id, work.deadline());
  if (chain.ok()) {
    std::vector<std::string> uses;
    for (const auto& link : *chain) uses.push_back(link->manifest.id);
    runs_.Use(run.id, uses);
    return chain;
  }
  constexpr std::array kUnusable = {ErrorCode::kCorruption, ErrorCode::kFailedPrecondition, ErrorCode::kNotFound};
  if (std::find(kUnusable.begin(), kUnusable.end(), chain.error().code()) == kUnusable.end()) return chain;
  outcome->note = chain.error().message();
  return Chain{};
}

Status Backups::Create(const BackupRun& run, bool claimed, Work& work, BackupRun* outcome) {
  const std::string& id = run.backup;
  HOLDFAST_ASSIGN_OR_RETURN(const Chain parent, ParentOf(run, claimed, work, outcome));
  if (!outcome->note.empty()) {
    log::Info("a backup is a full one and no increment",
              {{"store", source_.store}, {"backup", id}, {"reason", outcome->note}});
  }
  const std::optional<ChangeMark> mark = changes_ ? changes_->Mark(work.deadline()) : std::nullopt;
  Status made = CreateBackup(source_, catalogue_, id, clock_.Now(), options_.create, work, claimed, parent,
                             mark ? &*mark : nullptr);
  if (!parent.empty()) made = Judge(parent, std::move(made));
  HOLDFAST_RETURN_IF_ERROR(std::move(made));
  if (options_.verify) {
    HOLDFAST_RETURN_IF_ERROR(
        Verify(id, work, outcome).WithContext(fmt::format("backup {} was written, and not verified", id)));
  } else {
    HOLDFAST_ASSIGN_OR_RETURN(const StoredBackup stored, catalogue_.Get(id, work.deadline()));
    outcome->info = InfoOf(stored);
  }
  // The backup is there whatever becomes of the others.
  const Status pruned = PruneNow(id, work, outcome);
  if (!pruned.ok()) {
    log::Warn("backups that are not to be kept cannot be removed",
              {{"store", source_.store}, {"error", pruned.error().ToString()}});
  }
  return {};
}

Status Backups::Verify(const std::string& id, Work& work, BackupRun* outcome) {
  HOLDFAST_ASSIGN_OR_RETURN(const Chain chain, OpenSound(id, work));
  work.Enter("verify", BytesOf(chain));
  HOLDFAST_RETURN_IF_ERROR(Judge(chain, ReadAll(chain, catalogue_.target(), work)));
  HOLDFAST_RETURN_IF_ERROR(catalogue_.MarkVerified(*chain.back(), clock_.Now(), work.deadline()));
  HOLDFAST_ASSIGN_OR_RETURN(const StoredBackup stored, catalogue_.Get(id, work.deadline()));
  outcome->info = InfoOf(stored);
  return {};
}

Status Backups::Drill(const std::string& id, Work& work, BackupRun* outcome) {
  if (scratch_ == nullptr) return Error(ErrorCode::kNotSupported, "there is no place to restore to for a drill");
  HOLDFAST_ASSIGN_OR_RETURN(const Chain chain, OpenSound(id, work));
  const auto took = backup::Drill(chain, catalogue_.target(), *scratch_, source_.backend->limits(),
                                  options_.create.writer.threads, work);
  DrillRecord record{clock_.Now(), took.ok() ? *took : std::chrono::microseconds{}, ""};
  if (!took.ok()) record.failure = ErrorCodeName(took.error().code());
  // What ended with the service says nothing of the backup, nor does one that was removed meanwhile.
  const bool tells =
      took.ok() || (took.error().code() != ErrorCode::kCancelled && took.error().code() != ErrorCode::kNotFound);
  Status recorded = tells ? catalogue_.RecordDrill(*chain.back(), record, Deadline::After(kRecording)) : Status();
  HOLDFAST_RETURN_IF_ERROR(Judge(chain, took.ok() ? Status() : took.error()));
  HOLDFAST_RETURN_IF_ERROR(
      std::move(recorded).WithContext(fmt::format("the drill of backup {} succeeded, and is not recorded", id)));
  // All of it was read.
  HOLDFAST_RETURN_IF_ERROR(catalogue_.MarkVerified(*chain.back(), record.at, work.deadline()));
  HOLDFAST_ASSIGN_OR_RETURN(const StoredBackup stored, catalogue_.Get(id, work.deadline()));
  outcome->info = InfoOf(stored);
  return {};
}

Status Backups::Judge(const Chain& chain, Status read) const {
  if (read.ok() || read.error().code() != ErrorCode::kCorruption) return read;
  for (const auto& link : chain) Unmark(link->manifest.id);
  return read;
}

void Backups::Unmark(const std::string& id) const {
  // Else retention would keep it, and remove the sound ones behind it.
  const Status unmarked = catalogue_.UnmarkVerified(id, Deadline::After(kRecording));
  if (unmarked.ok()) return;
  log::Warn("a damaged backup still counts as verified",
            {{"store", source_.store}, {"backup", id}, {"error", unmarked.error().ToString()}});
}

Result<Chain> Backups::OpenSound(const std::string& id, Work& work) const {
  auto chain = OpenChain(catalogue_, id, work.deadline());
  if (!chain.ok() && chain.error().code() == ErrorCode::kCorruption) Unmark(id);
  return chain;
}

Result<durability::ByteSource> Backups::CheckpointOf(const Chain& chain, const Reading& from,
                                                     std::optional<Timestamp> to, Work& work) {
  if (to) {
    work.Enter("replay", 0);
    from.changes->ShipNow(work.deadline());
    return CheckpointAt(chain, from.changes->log(), *to, from.target, options_.create.writer, work);
  }
  work.Enter("fetch", CheckpointBytesOf(chain));
  return backup::CheckpointOf(chain, from.target, options_.create.writer, work);
}

Status Backups::Restore(const Chain& chain, const Reading& from, const BackupRun& run, Work& work, BackupRun* outcome) {
  const auto accept = [&](const storage::CheckpointInfo& info) -> Status {
    // What increments come to, and a time, was compared on its way, and has a checksum of its own.
    const Manifest& manifest = chain.back()->manifest;
    const bool same = manifest.parent || run.to || info.checksum == durability::ShowDigest(manifest.checkpoint);
    if (!same || !info.damage.empty()) return Damaged("it holds another checkpoint than its manifest says");
    HOLDFAST_RETURN_IF_ERROR(work.GoOn());
    work.Enter("restore", 0);
    return {};
  };
  HOLDFAST_ASSIGN_OR_RETURN(const durability::ByteSource source, CheckpointOf(chain, from, run.to, work));
  HOLDFAST_ASSIGN_OR_RETURN(outcome->restored,
                            checkpoints_->RestoreFrom(source, accept, work.deadline(), work.deadline()));
  return {};
}

Status Backups::DoOfSource(const BackupRun& run, Work& work, BackupRun* outcome) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto source, source_place_->Open(run.source));
  Target& target = source->catalogue.target();
  HOLDFAST_ASSIGN_OR_RETURN(const Chain chain, OpenChain(source->catalogue, run.backup, work.deadline()));
  if (run.action == BackupAction::kRestore) return Restore(chain, {target, &source->changes}, run, work, outcome);
  work.Enter("verify", BytesOf(chain));
  HOLDFAST_RETURN_IF_ERROR(ReadAll(chain, target, work));
  HOLDFAST_ASSIGN_OR_RETURN(const StoredBackup stored, source->catalogue.Get(run.backup, work.deadline()));
  outcome->info = InfoOf(stored);
  return {};
}

Status Backups::PruneNow(const std::string& kept, Work& work, BackupRun* outcome) {
  work.Enter("prune", 0);
  std::set<std::string> in_use = runs_.InUse();
  if (!kept.empty()) in_use.insert(kept);
  HOLDFAST_ASSIGN_OR_RETURN(outcome->removed, Prune(catalogue_, {options_.retention, options_.timeout}, clock_.Now(),
                                                    in_use, work.deadline()));
  if (!changes_) return {};
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(work.deadline()));
  return changes_->Prune(all, options_.timeout, work.deadline());
}

void Backups::Observe(Deadline deadline) {
  const auto all = catalogue_.List(deadline);
  if (all.ok()) {
    metrics_.Observe(*all);
    if (changes_) changes_->Observe(*all, deadline);
  } else {
    log::Warn("backups cannot be listed", {{"store", source_.store}, {"error", all.error().ToString()}});
  }
}

Result<std::vector<BackupInfo>> Backups::List(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(deadline));
  return InfosOf(all);
}

Result<BackupInfo> Backups::Get(const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const StoredBackup stored, catalogue_.Get(id, deadline));
  return InfoOf(stored);
}

Status Backups::Delete(const std::string& id, Deadline patience) {
  // What a removal that was cut off has left is cleared away after the time of a run.
  const Deadline deadline = patience.Sooner(Deadline::After(options_.timeout));
  if (runs_.InUse().count(id) > 0) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("a run that has not ended needs backup {}; wait for it", id));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, catalogue_.List(deadline));
  HOLDFAST_RETURN_IF_ERROR(RemoveUnused(catalogue_, {id}, all, deadline).front());
  Observe(deadline);
  return {};
}

}  // namespace holdfast::backup
