#include "service/durability/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/durability/checkpoint_metrics.h"

namespace holdfast::durability {
namespace {

using storage::CheckpointInfo;

// How often it is looked whether one is due.
constexpr std::chrono::seconds kLook{1};

CheckpointInfo InfoOf(const StoredCheckpoint& stored) {
  CheckpointInfo info;
  info.id = stored.id;
  if (stored.damage) {
    info.damage = stored.damage->message();
    return info;
  }
  info.created_at = stored.header.created_at;
  info.reason = ReasonName(stored.header.reason);
  info.consistency = stored.header.consistency;
  info.backend = stored.header.backend;
  info.entries = stored.summary.entries;
  info.entry_bytes = stored.summary.entry_bytes;
  info.size_bytes = stored.summary.file_bytes;
  info.checksum = ShowDigest(stored.summary.digest);
  info.format_version = kCheckpointFormat;
  info.validated_at = stored.validated_at;
  return info;
}

double SecondsSince(MonotonicTime begin, const Clock& clock) {
  return std::chrono::duration<double>(clock.Monotonic() - begin).count();
}

// One of those that are read at once, for as long as it is there.
class CountedStream final : public storage::CheckpointStream {
 public:
  explicit CountedStream(std::shared_ptr<std::atomic<int>> count) : count_(std::move(count)), place_(++*count_) {}
  CountedStream(const CountedStream&) = delete;
  CountedStream& operator=(const CountedStream&) = delete;
  ~CountedStream() override { --*count_; }

  int place() const { return place_; }
  void Set(std::unique_ptr<storage::CheckpointStream> stream) { stream_ = std::move(stream); }
  Result<bool> Next(std::string* bytes) override { return stream_->Next(bytes); }

 private:
  const std::shared_ptr<std::atomic<int>> count_;
  const int place_;
  std::unique_ptr<storage::CheckpointStream> stream_;
};

}  // namespace

Checkpoints::Checkpoints(std::shared_ptr<storage::Backend> backend, std::string store, const CheckpointOptions& options,
                         const Clock& clock, metrics::Registry& registry)
    : backend_(std::move(backend)),
      store_(std::move(store)),
      options_(options),
      clock_(clock),
      directory_(options.directory, store_),
      metrics_(std::make_shared<CheckpointMetrics>(store_, registry)),
      pool_(1, kMaxWaitingTasks) {}

void Checkpoints::Start() {
  // Otherwise nobody else writes to it, and a restore that failed is this process's own.
  const bool shared = !backend_->capabilities().reserves_versions;
  const bool takes = options_.interval.count() > 0;
  if (!shared && !takes) return;
  const std::chrono::microseconds look = takes ? std::min<std::chrono::microseconds>(options_.interval, kLook) : kLook;
  periodic_ = std::make_unique<storage::PeriodicTask>(look, [this, shared, takes] {
    if (shared) FinishAbandoned();
    if (takes) TakeDue();
  });
}

bool Checkpoints::IsHalfRestored() const {
  const auto mark = directory_.FindRestore();
  return !mark.ok() || *mark;
}

void Checkpoints::TakeDue() {
  std::lock_guard lock(mutex_);
  const auto held = directory_.TryLock();
  if (!held.ok()) {
    log::Warn("checkpoints cannot be taken", {{"store", store_}, {"error", held.error().ToString()}});
    return;
  }
  // Another instance may be taking the one that is due.
  if (!*held || IsHalfRestored()) return;
  const auto all = directory_.List();
  if (!all.ok()) {
    log::Warn("checkpoints cannot be listed", {{"store", store_}, {"error", all.error().ToString()}});
    return;
  }
  const bool due = all->empty() || clock_.Now() - all->back().header.created_at >= options_.interval;
  if (!due) return;
  const auto taken =
      Take(MakeCheckpointId(clock_.Now()), CheckpointReason::kPeriodic, Deadline::After(options_.timeout));
  if (!taken.ok()) log::Error("a checkpoint failed", {{"store", store_}, {"error", taken.error().ToString()}});
}

void Checkpoints::TakeLast() {
  if (!options_.at_shutdown) return;
  std::lock_guard lock(mutex_);
  const Deadline deadline = Deadline::After(options_.shutdown_timeout);
  const auto take = [&]() -> Result<CheckpointInfo> {
    HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
    if (IsHalfRestored()) return Error(ErrorCode::kFailedPrecondition, "the store is restored in part");
    return Take(MakeCheckpointId(clock_.Now()), CheckpointReason::kShutdown, deadline);
  };
  const auto taken = take();
  if (taken.ok()) {
    log::Info("the last checkpoint is taken", {{"store", store_}, {"checkpoint", taken->id}});
  } else {
    log::Error("the last checkpoint failed", {{"store", store_}, {"error", taken.error().ToString()}});
  }
}

void Checkpoints::Stop() {
  End();
  // What could not be made whole is not to be what is kept.
  if (std::exchange(recovered_, false)) TakeLast();
}

void Checkpoints::End() {
  if (periodic_) periodic_->Stop();
  pool_.Drain();
}

Result<std::unique_ptr<CheckpointExport>> Checkpoints::OpenExport(const std::string& id, CheckpointReason reason,
                                                                  Deadline deadline) {
  CheckpointHeader header;
  header.reason = reason;
  header.id = id;
  header.store = store_;
  header.created_at = clock_.Now();
  return CheckpointExport::Open(*backend_, std::move(header), options_.writer, deadline);
}

Result<CheckpointSummary> Checkpoints::Write(const std::string& id, CheckpointReason reason, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(CheckpointDraft draft, directory_.Begin(id));
  HOLDFAST_ASSIGN_OR_RETURN(const auto taken, OpenExport(id, reason, deadline));
  std::string bytes;
  for (bool more = true; more;) {
    bytes.clear();
    HOLDFAST_ASSIGN_OR_RETURN(more, taken->Next(&bytes));
    HOLDFAST_RETURN_IF_ERROR(draft.Write(bytes));
  }
  HOLDFAST_RETURN_IF_ERROR(draft.Commit());
  return taken->summary();
}

Result<std::unique_ptr<storage::CheckpointStream>> Checkpoints::Export(Deadline deadline) {
  if (deadline.Expired()) {
    return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before the snapshot was opened");
  }
  auto counted = std::make_unique<CountedStream>(exports_);
  if (counted->place() > kMaxExports) {
    return Error(
        ErrorCode::kUnavailable,
        fmt::format("{} snapshots of the store are being read already; try again when one has ended", kMaxExports));
  }
  // It is opened by when the caller wants an answer, and read for as long as one may take.
  HOLDFAST_ASSIGN_OR_RETURN(auto opened, OpenExport(MakeCheckpointId(clock_.Now()), CheckpointReason::kRequested,
                                                    Deadline::After(options_.timeout)));
  counted->Set(std::move(opened));
  return std::unique_ptr<storage::CheckpointStream>(std::move(counted));
}

Result<ValidCheckpoint> Checkpoints::Read(const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(ByteSource source, directory_.Open(id));
  const ByteSource timed = [source = std::move(source), deadline](char* buffer, std::size_t size) {
    if (!deadline.Expired()) return source(buffer, size);
    return Result<std::size_t>(
        Error(ErrorCode::kDeadlineExceeded, "the deadline passed while the checkpoint was read"));
  };
  auto valid = ValidateCheckpoint(timed, {options_.writer.threads, {}});
  if (!valid.ok() && valid.error().code() == ErrorCode::kCorruption) metrics_->damaged.Increment();
  return valid;
}

Result<CheckpointInfo> Checkpoints::Take(const std::string& id, CheckpointReason reason, Deadline deadline) {
  const MonotonicTime begin = clock_.Monotonic();
  HOLDFAST_RETURN_IF_ERROR(directory_.Clean());
  Result<CheckpointSummary> written = Write(id, reason, deadline);
  if (!written.ok()) {
    metrics_->failed.Increment();
    return std::move(written).error();
  }
  if (options_.validate) {
    Result<ValidCheckpoint> valid = Read(id, deadline);
    Status marked;
    if (valid.ok()) {
      marked = directory_.MarkValidated(id, valid->summary.digest, clock_.Now());
    } else {
      marked = std::move(valid).error();
    }
    // It is there all the same, and says that it has not been validated.
    if (!marked.ok()) {
      log::Error("a checkpoint was not validated",
                 {{"store", store_}, {"checkpoint", id}, {"error", marked.error().ToString()}});
    }
  }
  metrics_->taken.Increment();
  metrics_->duration.Observe(SecondsSince(begin, clock_));
  // The undo of a restore removes nothing: the one to be restored may be the oldest.
  if (reason != CheckpointReason::kUndo) Prune();
  Observe();
  HOLDFAST_ASSIGN_OR_RETURN(const StoredCheckpoint stored, directory_.Get(id));
  return InfoOf(stored);
}

void Checkpoints::Prune() {
  const auto all = directory_.List();
  const auto mark = directory_.FindRestore();
  if (!all.ok() || !mark.ok()) return;
  std::vector<Retained> retained;
  for (const StoredCheckpoint& stored : *all) {
    retained.push_back({stored.id, stored.header.created_at, stored.validated_at.has_value()});
  }
  std::vector<std::string> in_use;
  if (*mark) in_use = {(*mark)->id, (*mark)->undo};
  for (const std::string& id : Expendable(retained, options_.retention, clock_.Now(), in_use)) {
    const Status removed = directory_.Remove(id);
    if (!removed.ok()) {
      log::Warn("a checkpoint that is not to be kept cannot be removed",
                {{"store", store_}, {"checkpoint", id}, {"error", removed.error().ToString()}});
    }
  }
}

void Checkpoints::Observe() {
  const auto all = directory_.List();
  if (!all.ok()) return;
  metrics_->stored.Set(static_cast<double>(all->size()));
  const bool any = !all->empty() && !all->back().damage;
  metrics_->newest.Set(any ? std::chrono::duration<double>(all->back().header.created_at.time_since_epoch()).count()
                           : 0);
  metrics_->entries.Set(any ? static_cast<double>(all->back().summary.entries) : 0);
  metrics_->bytes.Set(any ? static_cast<double>(all->back().summary.file_bytes) : 0);
}

Result<CheckpointInfo> Checkpoints::Create(const std::string& id, Deadline deadline) {
  if (!id.empty()) HOLDFAST_RETURN_IF_ERROR(CheckCheckpointId(id));
  std::lock_guard lock(mutex_);
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
  if (options_.min_interval.count() > 0) {
    HOLDFAST_ASSIGN_OR_RETURN(const auto all, directory_.List());
    if (!all.empty() && clock_.Now() - all.back().header.created_at < options_.min_interval) {
      return Error(ErrorCode::kFailedPrecondition,
                   fmt::format("checkpoint {} is younger than checkpoints.min_interval; use it, or try again later",
                               all.back().id));
    }
  }
  return Take(id.empty() ? MakeCheckpointId(clock_.Now()) : id, CheckpointReason::kRequested, deadline);
}

Result<std::vector<CheckpointInfo>> Checkpoints::List() {
  HOLDFAST_ASSIGN_OR_RETURN(const auto all, directory_.List());
  std::vector<CheckpointInfo> infos;
  infos.reserve(all.size());
  for (const StoredCheckpoint& stored : all) infos.push_back(InfoOf(stored));
  return infos;
}

Result<CheckpointInfo> Checkpoints::Get(const std::string& id) {
  HOLDFAST_ASSIGN_OR_RETURN(const StoredCheckpoint stored, directory_.Get(id));
  return InfoOf(stored);
}

Status Checkpoints::Delete(const std::string& id, Deadline deadline) {
  std::lock_guard lock(mutex_);
  HOLDFAST_RETURN_IF_ERROR(directory_.Find(id));
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<RestoreMark> mark, directory_.FindRestore());
  if (mark && (mark->id == id || mark->undo == id)) {
    return Error(ErrorCode::kFailedPrecondition,
                 fmt::format("checkpoint {} belongs to a restore that is not finished; finish it first", id));
  }
  HOLDFAST_RETURN_IF_ERROR(directory_.Remove(id));
  Observe();
  return {};
}

Result<CheckpointInfo> Checkpoints::Validate(const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const ValidCheckpoint valid, Read(id, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
  HOLDFAST_RETURN_IF_ERROR(directory_.MarkValidated(id, valid.summary.digest, clock_.Now()));
  return Get(id);
}

Result<RestoreCounts> Checkpoints::Apply(const std::string& id) {
  HOLDFAST_ASSIGN_OR_RETURN(ByteSource source, directory_.Open(id));
  HOLDFAST_ASSIGN_OR_RETURN(RestoreCounts counts, durability::Restore(std::move(source), *backend_, store_, clock_,
                                                                      {options_.writer.threads}));
  HOLDFAST_RETURN_IF_ERROR(directory_.RemoveRestoreMark());
  metrics_->restoring.Set(0);
  return counts;
}

Result<storage::RestoreReport> Checkpoints::Restore(const std::string& id, Deadline deadline) {
  std::lock_guard lock(mutex_);
  HOLDFAST_RETURN_IF_ERROR(directory_.Find(id));
  HOLDFAST_ASSIGN_OR_RETURN(const StoreLock held, directory_.Lock(deadline));
  return RestoreStored(id, deadline);
}

Result<storage::RestoreReport> Checkpoints::RestoreStored(const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(ByteSource checked, directory_.Open(id));
  const auto valid = CheckRestorable(std::move(checked), *backend_, store_, deadline, options_.writer.threads);
  if (!valid.ok()) {
    metrics_->not_restored.Increment();
    if (valid.error().code() == ErrorCode::kCorruption) metrics_->damaged.Increment();
    return valid.error();
  }
  HOLDFAST_RETURN_IF_ERROR(directory_.MarkValidated(id, valid->summary.digest, clock_.Now()));
  HOLDFAST_ASSIGN_OR_RETURN(const CheckpointInfo undo,
                            Take(MakeCheckpointId(clock_.Now()), CheckpointReason::kUndo, deadline));
  if (options_.validate && !undo.validated_at) {
    metrics_->not_restored.Increment();
    return Error(ErrorCode::kUnavailable,
                 fmt::format("nothing was restored: checkpoint {}, which was to undo it, could not be read again; look "
                             "after the volume of the checkpoints, and restore then",
                             undo.id));
  }
  HOLDFAST_RETURN_IF_ERROR(directory_.MarkRestore({id, undo.id}));
  metrics_->restoring.Set(1);
  const auto applied = Apply(id);
  if (!applied.ok()) {
    metrics_->not_restored.Increment();
    return Error(applied.error())
        .WithContext(fmt::format(
            "the store is restored in part: restore {} again, or {}, which is what was there before", id, undo.id));
  }
  metrics_->restored.Increment();
  log::Info("a checkpoint is restored", {{"store", store_},
                                         {"checkpoint", id},
                                         {"entries", applied->restored},
                                         {"written", applied->written},
                                         {"deleted", applied->deleted},
                                         {"undo", undo.id}});
  storage::RestoreReport report;
  report.restored = applied->restored;
  report.written = applied->written;
  report.deleted = applied->deleted;
  report.expired = applied->expired;
  report.undo = undo.id;
  return report;
}

}  // namespace holdfast::durability
