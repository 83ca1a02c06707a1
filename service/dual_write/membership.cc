#include "service/dual_write/membership.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "base/log/log.h"

namespace holdfast::dual_write {

using std::chrono::steady_clock;
using storage::ExecuteOne;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

namespace {

// Of a lease: between ticks, and while a change is pending.
constexpr int kTicks = 10;
constexpr int kTicksPending = 100;
// A call of a tick that takes longer than this part of the lease has failed.
constexpr int kCallsPerLease = 4;

std::string NewInstance() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

Error Unconfirmed(bool pending) {
  return {ErrorCode::kUnavailable,
          pending ? "a change of the migration's phase is pending: try again"
                  : "the phase of the migration cannot be confirmed, since the source backend does not answer in time"};
}

}  // namespace

bool Membership::Pass::Held() const {
  const std::lock_guard lock(membership_->mutex_);
  return membership_->lapses_ == lapses_ && membership_->Confirmed(steady_clock::now());
}

Membership::Membership(storage::Backend& source, const Rows& rows, const MembershipOptions& options, Settle settle,
                       Entered entered)
    : source_(source),
      rows_(rows),
      options_(options),
      settle_(std::move(settle)),
      entered_(std::move(entered)),
      instance_(NewInstance()) {}

void Membership::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Membership::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  {
    // A backend that closes waits for the calls in progress.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return calls_ == 0; });
  }
  // Nothing is lost if it fails: the others wait until the lease has run out.
  static_cast<void>(ExecuteOne(source_, Operation::Delete(rows_.Instance(instance_)),
                               Deadline::After(options_.lease / kCallsPerLease)));
}

std::size_t Membership::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void Membership::Leave() {
  const std::lock_guard lock(mutex_);
  if (--calls_ == 0) changed_.notify_all();
}

Result<Membership::Pass> Membership::Enter(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto may_begin = [this] { return stopping_ || (!row_.pending && Confirmed(steady_clock::now())); };
  if (!may_begin()) {
    const Deadline patience = deadline.Sooner(Deadline::After(options_.patience));
    changed_.wait_until(lock, patience.WaitUntil(), may_begin);
  }
  if (stopping_) return Error(ErrorCode::kUnavailable, "the backend is closed");
  if (!may_begin()) {
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded, "the deadline passed while a change of the migration was pending");
    }
    return Unconfirmed(row_.pending);
  }
  ++calls_;
  return Pass(*this, row_, lapses_);
}

Result<Membership::Stored> Membership::ReadStored(Deadline deadline) const {
  OperationResult read = ExecuteOne(source_, Operation::Get(rows_.Phase()), deadline);
  if (!read.status.ok()) {
    if (read.status.error().code() == ErrorCode::kNotFound) return Stored{};
    return std::move(read.status).error();
  }
  auto row = PhaseRow::Decode(read.entry->value);
  if (!row) {
    return Error(ErrorCode::kCorruption, "the row of the migration's phase is damaged: restore the source's backup");
  }
  return Stored{std::move(*row), read.version};
}

Result<PhaseRow> Membership::Read(Deadline deadline) const {
  HOLDFAST_ASSIGN_OR_RETURN(Stored stored, ReadStored(deadline));
  return std::move(stored.row);
}

Status Membership::Begin(const PhaseRow& from, Phase to, const std::string& id, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const Stored stored, ReadStored(deadline));
  if (stored.row != from) return Error(ErrorCode::kUnavailable, "the migration has gone on meanwhile: try again");
  const PhaseRow pending{from.epoch + 1, id, from.phase, to, true};
  const auto unchanged = stored.version == 0 ? Precondition::Absent() : Precondition::VersionIs(stored.version);
  OperationResult put = ExecuteOne(source_, Operation::Put(rows_.Phase(), pending.Encode(), unchanged), deadline);
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
  if (put.status.ok()) return {};
  const ErrorCode code = put.status.error().code();
  if (code == ErrorCode::kVersionConflict || code == ErrorCode::kAlreadyExists) {
    return Error(ErrorCode::kUnavailable, "the migration has gone on meanwhile: try again");
  }
  return std::move(put.status).error();
}

Status Membership::AwaitSettled(std::uint64_t epoch, Deadline deadline) {
  std::unique_lock lock(mutex_);
  const bool settled = changed_.wait_until(lock, deadline.WaitUntil(),
                                           [&] { return stopping_ || (!row_.pending && row_.epoch >= epoch); });
  if (settled && !stopping_) return {};
  return Error(ErrorCode::kUnavailable, "not all instances have come to the change yet; it goes on: ask for the state");
}

Result<std::vector<std::string>> Membership::Living(Deadline deadline) const {
  storage::ScanRequest request;
  request.range = rows_.Instances();
  request.keys_only = true;
  request.limit = source_.limits().max_scan_entries;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, source_.Scan(request, deadline));
  std::vector<std::string> living;
  for (const storage::KeyedEntry& item : page.entries)
    living.push_back(item.key.substr(rows_.Instances().start.size()));
  return living;
}

Status Membership::Renew(std::uint64_t epoch, Deadline deadline) const {
  return ExecuteOne(source_,
                    Operation::Put(rows_.Instance(instance_), std::to_string(epoch), {},
                                   storage::Expiry::After(options_.lease)),
                    deadline)
      .status;
}

void Membership::Adopt(const Stored& stored, steady_clock::time_point renewed) {
  // What is derived from the phase has to be in place before a call is let in.
  if (!stored.row.pending) entered_(stored.row);
  const std::lock_guard lock(mutex_);
  if (confirmed_until_ && !Confirmed(steady_clock::now())) ++lapses_;
  confirmed_until_ = renewed + options_.lease * 2 / 3;
  row_ = stored.row;
  changed_.notify_all();
}

bool Membership::Drained() {
  const auto pause = options_.lease / kTicksPending;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return stopping_ || calls_ == 0; });
  return calls_ == 0;
}

Status Membership::SettleIfAllAgree(const Stored& stored, Deadline deadline) {
  storage::ScanRequest request;
  request.range = rows_.Instances();
  request.limit = source_.limits().max_scan_entries;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, source_.Scan(request, deadline));
  const std::string epoch = std::to_string(stored.row.epoch);
  const bool agreed =
      page.complete && std::all_of(page.entries.begin(), page.entries.end(),
                                   [&](const storage::KeyedEntry& item) { return item.entry->value == epoch; });
  if (!agreed) return {};
  HOLDFAST_RETURN_IF_ERROR(settle_(stored.row, deadline));
  PhaseRow settled = stored.row;
  settled.pending = false;
  ++settled.epoch;
  const OperationResult put = ExecuteOne(
      source_, Operation::Put(rows_.Phase(), settled.Encode(), Precondition::VersionIs(stored.version)), deadline);
  // Another one was faster.
  if (!put.status.ok() && put.status.error().code() == ErrorCode::kVersionConflict) return {};
  if (put.status.ok()) {
    {
      const std::lock_guard lock(mutex_);
      nudged_ = true;  // to go on at once
    }
    log::Info("migration: phase settled", {{"phase", PhaseName(settled.phase)}, {"migration", settled.id}});
  }
  return put.status;
}

void Membership::Tick() {
  const auto begun = steady_clock::now();
  std::uint64_t agreed = 0;
  {
    const std::lock_guard lock(mutex_);
    agreed = agreed_;
  }
  const Deadline deadline = Deadline::After(options_.lease / kCallsPerLease);
  if (!Renew(agreed, deadline).ok()) return;
  const auto stored = ReadStored(deadline);
  if (!stored.ok()) {
    log::Warn("migration: the phase cannot be read", {{"error", stored.error().ToString()}});
    return;
  }
  Adopt(*stored, begun);
  if (!stored->row.pending || !Drained()) return;
  if (agreed != stored->row.epoch) {
    if (!Renew(stored->row.epoch, deadline).ok()) return;
    const std::lock_guard lock(mutex_);
    agreed_ = stored->row.epoch;
  }
  const Status settled = SettleIfAllAgree(*stored, Deadline::After(options_.lease));
  if (!settled.ok()) {
    log::Warn("migration: a change of phase cannot be settled yet",
              {{"phase", PhaseName(stored->row.phase)}, {"error", settled.error().ToString()}});
  }
}

void Membership::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    nudged_ = false;
    lock.unlock();
    Tick();
    lock.lock();
    const auto pause = options_.lease / (row_.pending || !confirmed_until_ ? kTicksPending : kTicks);
    changed_.wait_for(lock, pause, [this] { return stopping_ || nudged_; });
  }
}

}  // namespace holdfast::dual_write
