#include "service/dual_write/mover.h"

#include <algorithm>
#include <set>

#include "base/log/log.h"
#include "service/dual_write/comparison.h"
#include "service/dual_write/visible.h"

namespace holdfast::dual_write {

using storage::EntryPtr;
using storage::ExecuteOne;
using storage::KeyedEntry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;
using storage::ScanPage;
using storage::ScanRequest;

namespace {

// Of a lease: between looks whether there is something to do, and the time that a step has.
constexpr int kLooks = 20;
constexpr std::chrono::seconds kStepTime{30};

bool IsConflict(const Status& status) {
  if (status.ok()) return false;
  const ErrorCode code = status.error().code();
  return code == ErrorCode::kVersionConflict || code == ErrorCode::kAlreadyExists;
}

}  // namespace

Mover::Mover(storage::Backend& source, storage::Backend& target, const Rows& rows, storage::KeyRange range,
             const Mirror& mirror, Membership& membership, storage::KeyLocks& locks, const MoverOptions& options,
             std::chrono::microseconds lease)
    : source_(source),
      target_(target),
      rows_(rows),
      range_(std::move(range)),
      mirror_(mirror),
      membership_(membership),
      locks_(locks),
      options_(options),
      lease_(lease) {}

void Mover::Start() {
  if (options_.batch == 0) return;
  thread_ = std::thread([this] { Loop(); });
}

void Mover::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  // So that another one need not wait for the lease.
  static_cast<void>(ExecuteOne(source_,
                               Operation::Delete(rows_.Driver(), Precondition::ValueIs(membership_.instance())),
                               Deadline::After(lease_)));
}

void Mover::Wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  wake_.notify_all();
}

void Mover::Pause(std::chrono::microseconds time) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, time, [this] { return stopping_; });
}

void Mover::Rest() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, lease_ / kLooks, [this] { return stopping_ || woken_; });
  woken_ = false;
}

void Mover::Loop() {
  const auto stopping = [this] {
    const std::lock_guard lock(mutex_);
    return stopping_;
  };
  while (!stopping()) {
    const auto stepped = Step();
    if (!stepped.ok()) log::Warn("migration: a step failed", {{"error", stepped.error().ToString()}});
    if (!stepped.ok() || !*stepped) {
      Rest();
      continue;
    }
    const std::uint64_t keys = (*stepped)->keys;
    keys_.fetch_add(keys, std::memory_order_relaxed);
    if (options_.rate > 0 && keys > 0) Pause(std::chrono::microseconds{keys * 1'000'000 / options_.rate});
  }
}

Result<std::optional<Mover::Stepped>> Mover::Step() {
  const Deadline deadline = Deadline::After(kStepTime);
  PhaseRow row;
  std::optional<Stepped> stepped;
  {
    // Given back before a change of phase is begun, which waits for it.
    HOLDFAST_ASSIGN_OR_RETURN(const Membership::Pass pass, membership_.Enter(deadline));
    HOLDFAST_ASSIGN_OR_RETURN(stepped, StepIn(pass, deadline));
    if (!stepped || !stepped->complete) return stepped;
    HOLDFAST_ASSIGN_OR_RETURN(row, membership_.Read(deadline));
    if (row.pending || row.phase != pass.phase() || row.id != pass.id()) return std::optional<Stepped>();
  }
  HOLDFAST_RETURN_IF_ERROR(membership_.Begin(row, stepped->next, row.id, deadline));
  return stepped;
}

Result<std::optional<Mover::Stepped>> Mover::StepIn(const Membership::Pass& pass, Deadline deadline) {
  switch (pass.phase()) {
    case Phase::kIdle:
    case Phase::kVerified:
    case Phase::kReadsSwitched:
      return std::optional<Stepped>();
    case Phase::kCutOver: {
      if (cleaned_) return std::optional<Stepped>();
      HOLDFAST_RETURN_IF_ERROR(target_.DeleteRange(rows_.Marks(), deadline));
      HOLDFAST_RETURN_IF_ERROR(target_.DeleteRange(rows_.Intents(), deadline));
      cleaned_ = true;
      return std::optional<Stepped>();
    }
    default:
      break;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const bool driver, HoldDriver(deadline));
  if (!driver) return std::optional<Stepped>();
  if (pass.phase() == Phase::kAborting) {
    HOLDFAST_RETURN_IF_ERROR(DeleteVisible(target_, rows_, range_, deadline));
    HOLDFAST_RETURN_IF_ERROR(target_.DeleteRange(rows_.range(), deadline));
    HOLDFAST_RETURN_IF_ERROR(ExecuteOne(source_, Operation::Delete(rows_.Progress()), deadline).status);
    return std::optional(Stepped{0, true, Phase::kIdle});
  }
  HOLDFAST_ASSIGN_OR_RETURN(Progress progress, Load(pass, deadline));
  auto stepped = pass.phase() == Phase::kDualWrite ? Backfill(pass.id(), std::move(progress), deadline)
                                                   : Compare(pass.id(), std::move(progress), deadline);
  if (!stepped.ok()) return std::move(stepped).error();
  return std::optional(*stepped);
}

Result<bool> Mover::HoldDriver(Deadline deadline) {
  const auto put = [&](Precondition precondition) {
    return ExecuteOne(source_,
                      Operation::Put(rows_.Driver(), membership_.instance(), std::move(precondition),
                                     storage::Expiry::After(lease_)),
                      deadline)
        .status;
  };
  Status held = put(Precondition::ValueIs(membership_.instance()));
  if (IsConflict(held)) held = put(Precondition::Absent());
  if (IsConflict(held)) return false;
  HOLDFAST_RETURN_IF_ERROR(std::move(held));
  return true;
}

Result<Progress> Mover::Read(Deadline deadline) const {
  const std::string key = rows_.Progress();
  HOLDFAST_ASSIGN_OR_RETURN(const auto entries, ReadEntries(source_, {&key, 1}, deadline));
  if (entries[0] == nullptr) return Progress{};
  return Progress::Decode(entries[0]->value).value_or(Progress{});
}

Result<Progress> Mover::Load(const Membership::Pass& pass, Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(Progress progress, Read(deadline));
  if (progress.id != pass.id()) {
    progress = Progress{};
    progress.id = pass.id();
    HOLDFAST_ASSIGN_OR_RETURN(progress.total, CountVisible(source_, rows_, range_, deadline));
  }
  const bool comparing = pass.phase() == Phase::kVerifying;
  if (progress.comparing != comparing) {
    progress.comparing = comparing;
    progress.cursor.clear();
  }
  return progress;
}

Status Mover::Save(const Progress& progress, Deadline deadline) const {
  return ExecuteOne(source_, Operation::Put(rows_.Progress(), progress.Encode()), deadline).status;
}

Result<ScanPage> Mover::Page(const std::string& cursor, bool keys_only, Deadline deadline) const {
  ScanRequest request;
  request.range = range_;
  request.keys_only = keys_only;
  request.limit = options_.batch;
  if (!cursor.empty()) request.after = cursor;
  HOLDFAST_ASSIGN_OR_RETURN(ScanPage page, ScanVisible(source_, rows_, request, deadline));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < page.entries.size(); ++i) {
    bytes += page.entries[i].value_bytes;
    if (bytes <= kMoverPageBytes || i == 0) continue;
    page.entries.resize(i);
    page.complete = false;
    break;
  }
  return page;
}

Result<std::uint64_t> Mover::Repair(const std::vector<std::string>& keys, const std::string& id,
                                    Deadline deadline) const {
  if (keys.empty()) return 0;
  std::vector<Task> tasks;
  tasks.reserve(keys.size());
  for (const std::string& key : keys) tasks.push_back({key, ""});
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  const auto held = locks_.Lock(views);
  return mirror_.Repair(tasks, id, deadline);
}

Result<Mover::Stepped> Mover::Backfill(const std::string& id, Progress progress, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, Page(progress.cursor, /*keys_only=*/true, deadline));
  std::vector<std::string> keys;
  for (const KeyedEntry& item : page.entries) keys.push_back(item.key);
  HOLDFAST_RETURN_IF_ERROR(Repair(keys, id, deadline));
  progress.copied += keys.size();
  if (!keys.empty()) progress.cursor = keys.back();
  HOLDFAST_RETURN_IF_ERROR(Save(progress, deadline));
  return Stepped{keys.size(), page.complete, Phase::kVerifying};
}

Result<Mover::Stepped> Mover::Compare(const std::string& id, Progress progress, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, Page(progress.cursor, /*keys_only=*/false, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(
      const Comparison comparison,
      ComparePage(page, range_, progress.cursor, target_.limits().max_scan_entries,
                  [&](const ScanRequest& same) { return ScanVisible(target_, rows_, same, deadline); }));
  HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t repaired, Repair(comparison.different, id, deadline));
  progress.differences += repaired;
  progress.compared += comparison.keys;
  if (!comparison.reached.empty()) progress.cursor = comparison.reached;
  HOLDFAST_RETURN_IF_ERROR(Save(progress, deadline));
  return Stepped{comparison.keys, comparison.complete, Phase::kVerified};
}

Status Mover::CopyIntents(const std::string& id, const std::vector<std::string>& living, Deadline deadline) const {
  const auto lives = [&](const std::string& intent) {
    return std::any_of(living.begin(), living.end(),
                       [&](const std::string& instance) { return intent.starts_with(rows_.Intent(instance, "")); });
  };
  ScanRequest request;
  request.range = rows_.Intents();
  request.keys_only = true;
  request.limit = options_.batch;
  for (bool complete = false; !complete;) {
    HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, target_.Scan(request, deadline));
    complete = page.complete || page.entries.empty();
    if (page.entries.empty()) break;
    request.after = page.entries.back().key;
    std::vector<Task> tasks;
    std::vector<Operation> done;
    std::set<std::string> keys;
    for (const KeyedEntry& item : page.entries) {
      const std::string key = rows_.KeyOfIntent(item.key);
      if (keys.insert(key).second) tasks.push_back({key, ""});
      if (lives(item.key)) done.push_back(Operation::Delete(item.key));
    }
    HOLDFAST_RETURN_IF_ERROR(mirror_.Copy(tasks, id, deadline));
    if (done.empty()) continue;
    std::vector<OperationResult> results(done.size());
    target_.Execute(done, results, deadline);
    for (OperationResult& result : results) HOLDFAST_RETURN_IF_ERROR(std::move(result.status));
  }
  return {};
}

}  // namespace holdfast::dual_write
