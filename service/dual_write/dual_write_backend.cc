#include "service/dual_write/dual_write_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "service/dual_write/fences.h"
#include "service/dual_write/visible.h"
#include "service/storage/delete_by_pages.h"
#include "service/storage/key_space.h"

namespace holdfast::dual_write {

using storage::Backend;
using storage::ChangeCause;
using storage::ChangeListener;
using storage::EntryPtr;
using storage::Operation;
using storage::OperationResult;
using storage::ScanPage;

namespace {

// What locks, elections and single requests rest on is read where it is decided: whoever is told of a change there
// reads at once, and must not find what stood before.
bool ReadInSource(const Operation& get) {
  const auto place = storage::FindPlace(get.key);
  if (!place) return false;
  return place->room == storage::Room::kLocks || place->room == storage::Room::kFences ||
         place->room == storage::Room::kReplays || place->room == storage::Room::kSystem;
}

std::vector<std::string_view> KeysOf(std::span<const Operation> operations) {
  std::vector<std::string_view> keys;
  keys.reserve(operations.size());
  for (const Operation& operation : operations) keys.push_back(operation.key);
  return keys;
}

std::string NewId() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

Error Stale(bool write) {
  if (write) {
    return {
        ErrorCode::kOutcomeUnknown,
        "the instance was not heard of for longer than its lease while it wrote, and the migration may have gone on"};
  }
  return {ErrorCode::kUnavailable, "the instance was not heard of for longer than its lease: try again"};
}

// What a call found that the others did not wait for does not count.
void Distrust(std::span<const Operation> operations, std::span<OperationResult> results) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const bool may_have_written =
        storage::IsWrite(operations[i].kind) &&
        (results[i].status.ok() || results[i].status.error().code() == ErrorCode::kOutcomeUnknown);
    results[i] = OperationResult{};
    results[i].status = Stale(may_have_written);
  }
}

}  // namespace

// Passes on what the backend tells, while it is the one that decides.
class DualWriteBackend::Filter final : public ChangeListener {
 public:
  Filter(std::shared_ptr<ChangeListener> listener, std::shared_ptr<Shared> shared, bool target, Rows rows,
         storage::KeyRange range)
      : listener_(std::move(listener)),
        shared_(std::move(shared)),
        target_(target),
        rows_(std::move(rows)),
        range_(std::move(range)) {}

  void OnChange(std::string_view key, const EntryPtr& before, const EntryPtr& after,
                ChangeCause cause) noexcept override {
    if (rows_.Contains(key)) {
      if (!target_ && cause == ChangeCause::kExpired) shared_->expired_rows.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (listener_ == nullptr) return;
    // Other stores on the backend are not concerned.
    if (range_.Contains(key) && (shared_->phase.load(std::memory_order_acquire) == Phase::kCutOver) != target_) return;
    listener_->OnChange(key, before, after, cause);
  }
  void OnMissed() noexcept override {
    if (listener_ != nullptr) listener_->OnMissed();
  }

 private:
  const std::shared_ptr<ChangeListener> listener_;
  const std::shared_ptr<Shared> shared_;
  const bool target_;
  const Rows rows_;
  const storage::KeyRange range_;
};

DualWriteBackend::DualWriteBackend(std::shared_ptr<Backend> source, std::shared_ptr<Backend> target,
                                   DualWriteOptions options)
    : source_(std::move(source)),
      target_(std::move(target)),
      options_(std::move(options)),
      rows_(options_.store),
      mirror_(*source_, *target_, rows_),
      reader_(*target_, rows_),
      shared_(std::make_shared<Shared>()),
      membership_(
          *source_, rows_, options_.membership,
          [this](const PhaseRow& pending, Deadline deadline) { return Settle(pending, deadline); },
          [this](const PhaseRow& row) {
            // There is no way back from there, whatever has become of the source, which people may empty then.
            if (phase() == Phase::kCutOver) return;
            if (shared_->phase.exchange(row.phase, std::memory_order_acq_rel) != row.phase) mover_.Wake();
          }),
      writer_(*source_, *target_, rows_, mirror_, locks_, membership_.instance()),
      mover_(*source_, *target_, rows_, options_.range, mirror_, membership_, locks_, options_.mover,
             options_.membership.lease) {}

DualWriteBackend::~DualWriteBackend() {
  Stop();
}

Status DualWriteBackend::Start(Deadline deadline) {
  const auto fences = Fences::Read(*target_, rows_, deadline);
  if (!fences.ok()) return Error(fences.error()).WithContext("asking the target whether the store was cut over to it");
  if (fences->AnyIs(kCut)) {
    shared_->phase.store(Phase::kCutOver, std::memory_order_release);
  } else if (!fences->All("")) {
    // A source that has lost its data has lost the phase too: what the target has is a copy of nothing.
    HOLDFAST_ASSIGN_OR_RETURN(const PhaseRow row, membership_.Read(deadline));
    if (row == PhaseRow{}) HOLDFAST_RETURN_IF_ERROR(membership_.Begin(row, Phase::kAborting, NewId(), deadline));
  }
  membership_.Start();
  mover_.Start();
  return {};
}

void DualWriteBackend::Stop() {
  mover_.Stop();
  membership_.Stop();
}

Status DualWriteBackend::Close() {
  Stop();
  Status source = source_->Close();
  Status target = target_->Close();
  return source.ok() ? std::move(target) : std::move(source);
}

Result<MigrationState> DualWriteBackend::State(Deadline deadline) {
  MigrationState state;
  if (phase() == Phase::kCutOver) {
    state.row.phase = Phase::kCutOver;
    return state;
  }
  HOLDFAST_ASSIGN_OR_RETURN(state.row, membership_.Read(deadline));
  HOLDFAST_ASSIGN_OR_RETURN(state.progress, mover_.Read(deadline));
  if (state.progress.id != state.row.id) state.progress = Progress{};
  HOLDFAST_ASSIGN_OR_RETURN(const auto living, membership_.Living(deadline));
  state.instances = living.size();
  return state;
}

Result<storage::MigrationReport> DualWriteBackend::Report(Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const MigrationState state, State(deadline));
  storage::MigrationReport report = Known();
  report.phase = PhaseName(state.row.phase);
  report.pending = state.row.pending;
  report.id = state.row.id;
  report.total = state.progress.total;
  report.copied = state.progress.copied;
  report.compared = state.progress.compared;
  report.differences = state.progress.differences;
  report.instances = state.instances;
  return report;
}

storage::MigrationReport DualWriteBackend::Known() const {
  storage::MigrationReport report;
  report.phase = PhaseName(phase());
  report.missed_writes = missed_writes();
  return report;
}

Status DualWriteBackend::Do(std::string_view action, Deadline deadline) {
  const auto parsed = ParseAction(action);
  if (!parsed) {
    return Error(ErrorCode::kInvalidArgument,
                 "the action is none of start, switch_reads, switch_back, cut_over and abort");
  }
  return Act(*parsed, deadline);
}

Status DualWriteBackend::CheckStart(Deadline deadline) const {
  storage::ScanRequest request;
  request.range = options_.range;
  request.keys_only = true;
  request.limit = 1;
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, ScanVisible(*target_, rows_, request, deadline));
  if (!page.entries.empty()) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the target has entries of a store of this name already, which would be lost: remove them first");
  }
  const storage::Capabilities capabilities = target_->capabilities();
  if (capabilities.transactions && capabilities.transactions_span_keys) return {};
  return Error(ErrorCode::kNotSupported,
               "the target has no transactions over any two keys, without which a copy could go back: choose another");
}

Status DualWriteBackend::Act(Action action, Deadline deadline) {
  if (phase() == Phase::kCutOver) return PhaseAfter(Phase::kCutOver, action).error();
  HOLDFAST_ASSIGN_OR_RETURN(const PhaseRow row, membership_.Read(deadline));
  if (row.pending) {
    return Error(ErrorCode::kUnavailable, fmt::format("the change to {} is pending: try again", PhaseName(row.phase)));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const Phase next, PhaseAfter(row.phase, action));
  if (action == Action::kStart) HOLDFAST_RETURN_IF_ERROR(CheckStart(deadline));
  HOLDFAST_RETURN_IF_ERROR(membership_.Begin(row, next, action == Action::kStart ? NewId() : row.id, deadline));
  return membership_.AwaitSettled(row.epoch + 2, deadline);
}

Status DualWriteBackend::MoveFences(const PhaseRow& pending, const std::string& value, Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(const Fences fences, Fences::Read(*target_, rows_, deadline));
  if (fences.All(value)) return {};
  // Asked behind the fences: if somebody goes on from here, they change, and then they are not replaced.
  HOLDFAST_ASSIGN_OR_RETURN(const PhaseRow row, membership_.Read(deadline));
  if (row != pending) return Error(ErrorCode::kUnavailable, "another instance has settled the change");
  return fences.Replace(*target_, rows_, value, deadline);
}

Status DualWriteBackend::Settle(const PhaseRow& pending, Deadline deadline) {
  switch (pending.phase) {
    case Phase::kDualWrite:
      return MoveFences(pending, pending.id, deadline);
    case Phase::kAborting:
      return MoveFences(pending, "", deadline);
    case Phase::kVerified:
    case Phase::kReadsSwitched:
    case Phase::kCutOver: {
      HOLDFAST_ASSIGN_OR_RETURN(const Fences fences, Fences::Read(*target_, rows_, deadline));
      if (fences.AnyIs(kCut)) return {};
      HOLDFAST_ASSIGN_OR_RETURN(const auto living, membership_.Living(deadline));
      HOLDFAST_RETURN_IF_ERROR(mover_.CopyIntents(pending.id, living, deadline));
      if (pending.phase != Phase::kCutOver) return {};
      // What was copied is told before anybody is told of what comes next.
      // One whose feed is down tells of it late, or says that it has missed changes.
      static_cast<void>(target_->AwaitListener());
      return MoveFences(pending, std::string(kCut), deadline);
    }
    case Phase::kIdle:
    case Phase::kVerifying:
      return {};
  }
  return {};
}

storage::Capabilities DualWriteBackend::capabilities() const {
  const storage::Capabilities source = source_->capabilities();
  const storage::Capabilities target = target_->capabilities();
  // Until the cut-over it is as the source is, and behind it as the target is; asked once at the start, so the lesser.
  storage::Capabilities both = source;
  both.snapshots = storage::SnapshotConsistency::kPerEntry;
  both.transactions = source.transactions && target.transactions;
  both.transactions_span_keys = source.transactions_span_keys && target.transactions_span_keys;
  both.durable_ack = source.durable_ack && target.durable_ack;
  both.ordered_scan = source.ordered_scan && target.ordered_scan;
  both.fencing_survives_failover = source.fencing_survives_failover && target.fencing_survives_failover;
  both.inline_reads = false;
  both.inline_writes = false;
  both.concurrent_calls = std::max(source.concurrent_calls, target.concurrent_calls);
  if (phase() == Phase::kCutOver) both.durability = target.durability;
  return both;
}

void DualWriteBackend::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                               Deadline deadline) {
  const Status fits = storage::ValidateBatch(operations.size(), limits());
  if (!fits.ok()) return storage::FailAll(results, fits.error());
  std::vector<std::size_t> valid;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    results[i] = OperationResult{};
    results[i].status = storage::Validate(operations[i], limits());
    if (results[i].status.ok()) valid.push_back(i);
  }
  if (valid.size() == operations.size()) return ExecuteValid(operations, results, deadline);
  std::vector<Operation> some;
  for (const std::size_t i : valid) some.push_back(operations[i]);
  std::vector<OperationResult> answers(some.size());
  ExecuteValid(some, answers, deadline);
  for (std::size_t i = 0; i < valid.size(); ++i) results[valid[i]] = std::move(answers[i]);
}

void DualWriteBackend::ExecuteValid(std::span<const Operation> operations, std::span<OperationResult> results,
                                    Deadline deadline) {
  if (phase() == Phase::kCutOver) return target_->Execute(operations, results, deadline);
  auto pass = membership_.Enter(deadline);
  if (!pass.ok()) return storage::FailAll(results, pass.error());
  const bool writes = std::any_of(operations.begin(), operations.end(),
                                  [](const Operation& operation) { return storage::IsWrite(operation.kind); });
  if (pass->phase() == Phase::kCutOver) {
    target_->Execute(operations, results, deadline);
  } else if (WritesBoth(pass->phase()) && writes) {
    writer_.Execute(pass->phase(), pass->id(), operations, results, deadline);
  } else if (pass->phase() == Phase::kReadsSwitched) {
    ReadSwitched(operations, results, deadline);
  } else {
    source_->Execute(operations, results, deadline);
  }
  if (!pass->Held() && pass->phase() != Phase::kCutOver) Distrust(operations, results);
}

void DualWriteBackend::ReadSwitched(std::span<const Operation> gets, std::span<OperationResult> results,
                                    Deadline deadline) {
  if (deadline.Expired()) return source_->Execute(gets, results, deadline);
  if (gets.empty()) return;
  // Whoever heard of a change of this process finds it: it is copied under the lock.
  { const auto awaited = locks_.Lock(KeysOf(gets)); }
  std::vector<Operation> parts[2];
  std::vector<std::size_t> places[2];
  for (std::size_t i = 0; i < gets.size(); ++i) {
    const std::size_t part = ReadInSource(gets[i]) ? 0 : 1;
    parts[part].push_back(gets[i]);
    places[part].push_back(i);
  }
  for (std::size_t part = 0; part < 2; ++part) {
    if (parts[part].empty()) continue;
    std::vector<OperationResult> answers(parts[part].size());
    if (part == 0) {
      source_->Execute(parts[part], answers, deadline);
    } else {
      reader_.Read(parts[part], answers, deadline);
    }
    for (std::size_t i = 0; i < answers.size(); ++i) results[places[part][i]] = std::move(answers[i]);
  }
}

Result<storage::TransactionResult> DualWriteBackend::Transact(const storage::Transaction& transaction,
                                                              Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(storage::Validate(transaction, limits()));
  if (phase() == Phase::kCutOver) return target_->Transact(transaction, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const Membership::Pass pass, membership_.Enter(deadline));
  if (pass.phase() == Phase::kCutOver) return target_->Transact(transaction, deadline);
  auto result = WritesBoth(pass.phase()) ? writer_.Transact(pass.phase(), pass.id(), transaction, deadline)
                                         : source_->Transact(transaction, deadline);
  if (pass.Held()) return result;
  return Stale(result.ok() ? result->applied : result.error().code() == ErrorCode::kOutcomeUnknown);
}

storage::Statistics DualWriteBackend::statistics() const {
  storage::Statistics statistics = Deciding().statistics();
  // A few rows are among them.
  statistics.entries_estimated = true;
  if (phase() != Phase::kCutOver) {
    statistics.expired_removed -= std::min(statistics.expired_removed, shared_->expired_rows.load());
  }
  return statistics;
}

Result<ScanPage> DualWriteBackend::Scan(const storage::ScanRequest& asked, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(storage::Validate(asked));
  storage::ScanRequest request = asked;
  request.limit = std::min(request.limit, limits().max_scan_entries);
  if (phase() == Phase::kCutOver) return ScanVisible(*target_, rows_, request, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const Membership::Pass pass, membership_.Enter(deadline));
  Result<ScanPage> page = ScanPage{};
  if (pass.phase() == Phase::kCutOver) {
    page = ScanVisible(*target_, rows_, request, deadline);
  } else if (pass.phase() == Phase::kReadsSwitched) {
    locks_.AwaitHolders();
    page = reader_.Scan(request, deadline);
  } else {
    page = ScanVisible(*source_, rows_, request, deadline);
  }
  if (!pass.Held()) return Stale(/*write=*/false);
  return page;
}

Result<std::uint64_t> DualWriteBackend::Count(const storage::KeyRange& range, Deadline deadline) {
  if (phase() == Phase::kCutOver) return CountVisible(*target_, rows_, range, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const Membership::Pass pass, membership_.Enter(deadline));
  const bool target = pass.phase() == Phase::kCutOver || pass.phase() == Phase::kReadsSwitched;
  auto count = CountVisible(target ? *target_ : *source_, rows_, range, deadline);
  if (!pass.Held()) return Stale(/*write=*/false);
  return count;
}

Result<std::uint64_t> DualWriteBackend::DeleteRange(const storage::KeyRange& range, Deadline deadline) {
  if (phase() == Phase::kCutOver) return DeleteVisible(*target_, rows_, range, deadline);
  bool both = false;
  {
    HOLDFAST_ASSIGN_OR_RETURN(const Membership::Pass pass, membership_.Enter(deadline));
    both = WritesBoth(pass.phase());
    if (!both) {
      auto deleted = DeleteVisible(pass.phase() == Phase::kCutOver ? *target_ : *source_, rows_, range, deadline);
      if (!pass.Held()) return Stale(/*write=*/true);
      return deleted;
    }
  }
  return DeleteInBoth(range, deadline);
}

Result<std::uint64_t> DualWriteBackend::DeleteInBoth(const storage::KeyRange& range, Deadline deadline) {
  storage::PageDeletion pages;
  // Each page is a call of its own, so that a change of phase need not wait for all of them.
  pages.scan = [this](const storage::ScanRequest& request, Deadline until) { return Scan(request, until); };
  pages.execute = [this](std::span<const Operation> operations, std::span<OperationResult> results, Deadline until) {
    Execute(operations, results, until);
  };
  pages.page_deadline = [deadline] { return deadline; };
  return storage::DeleteByPages(range, std::min(limits().max_operations, limits().max_scan_entries), pages);
}

Status DualWriteBackend::CheckHealth(Deadline deadline) {
  return Deciding().CheckHealth(deadline);
}

std::shared_ptr<ChangeListener> DualWriteBackend::SourceListener(std::shared_ptr<ChangeListener> listener) const {
  return std::make_shared<Filter>(std::move(listener), shared_, /*target=*/false, rows_, options_.range);
}
std::shared_ptr<ChangeListener> DualWriteBackend::TargetListener(std::shared_ptr<ChangeListener> listener) const {
  return std::make_shared<Filter>(std::move(listener), shared_, /*target=*/true, rows_, options_.range);
}

void DualWriteBackend::SetChangeListener(std::shared_ptr<ChangeListener> listener) {
  source_->SetChangeListener(SourceListener(listener));
  target_->SetChangeListener(TargetListener(std::move(listener)));
}

}  // namespace holdfast::dual_write
