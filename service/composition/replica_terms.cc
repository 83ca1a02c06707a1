// How a term begins, and how a replica is made the same as the leader.
#include <fmt/format.h>

#include <algorithm>

#include "service/composition/failover_rows.h"
#include "service/composition/replica_compare.h"
#include "service/composition/replica_group.h"

namespace holdfast::composition {
namespace {

// Between the versions of two terms: more than a batch that was lost can have had.
constexpr storage::Version kTermGap = 1u << 20;
constexpr std::uint64_t kVersionsPerMicrosecond = 1'000;

}  // namespace

void ReplicaGroup::Begin() {
  while (true) {
    const Result<TermPlan> begun = BeginTerm();
    Lock lock(mutex_);
    if (begun.ok() || stopping_) return;
    no_term_ = begun.error().message();
    changed_.notify_all();
    changed_.wait_for(lock, options_.retry_pause, [this] { return stopping_; });
    if (stopping_) return;
  }
}

Result<TermPlan> ReplicaGroup::BeginTerm() {
  std::vector<SeenMarker> seen;
  for (const auto& member : members_) {
    const auto read = member->store.ReadMarker(Deadline::After(options_.call_timeout));
    seen.push_back(read.ok() ? SeenMarker(*read) : std::nullopt);
  }
  const ReplicaQuorums quorums{members_.size(), options_.write_quorum, options_.read_quorum, options_.eventual};
  HOLDFAST_ASSIGN_OR_RETURN(TermPlan plan, PlanTerm(seen, quorums));
  std::vector<bool> promised;
  std::size_t whole = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    ReplicaMarker marker = plan.has[i];
    marker.promised = plan.term;
    promised.push_back(seen[i] && members_[i]->store.WriteMarker(marker, Deadline::After(options_.call_timeout)).ok());
    whole += promised[i] && marker.complete ? 1 : 0;
  }
  const auto promises = static_cast<std::size_t>(std::count(promised.begin(), promised.end(), true));
  if (promises < plan.promises_needed || whole < quorums.read || !promised[plan.source]) {
    return Error(ErrorCode::kUnavailable, fmt::format("{} of {} replicas take writes, {} are needed", promises,
                                                      members_.size(), std::max(plan.promises_needed, quorums.read)));
  }
  Install(plan, promised);
  return plan;
}

void ReplicaGroup::Install(const TermPlan& plan, const std::vector<bool>& promised) {
  const Lock lock(mutex_);
  const ReplicaMarker& source = plan.has[plan.source];
  const auto now = static_cast<std::uint64_t>(clock_.Now().time_since_epoch().count());
  storage::Version version = now * kVersionsPerMicrosecond;
  for (const ReplicaMarker& marker : plan.has) version = std::max(version, marker.version);
  version_ = first_version_ = version + kTermGap;
  history_version_ = source.version;
  term_ = plan.term;
  sequence_ = committed_ = source.sequence;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[i];
    if (!promised[i] || !plan.SameAsSource(i)) continue;
    member.applied = member.begun = source.sequence;
    member.whole = true;
    member.missed = false;
    Stand(member, Standing::kUp, "");
  }
  ChooseLeader();
  // What the source has is committed with the first batch of the term, and nothing is told of it before.
  const auto first = std::make_shared<ReplicaBatch>(ReplicaBatch{++sequence_, version_.load(), {}, 0});
  abandoned_ = sequence_;
  for (const auto& member : members_) Push(*member, first);
  changed_.notify_all();
}

// Has all batches from now on wait for the replica, and all before be in the leader.
Result<std::size_t> ReplicaGroup::PrepareCopy(std::size_t index, std::uint64_t* from) {
  Lock lock(mutex_);
  Member& member = *members_[index];
  if (!leader_) return Error(ErrorCode::kUnavailable, "there is no replica that it could be compared with");
  const std::size_t leader = *leader_;
  Forget(member);
  member.missed = false;
  member.whole = false;
  *from = sequence_;
  Stand(member, Standing::kCatchingUp, "it is compared with the leader");
  const Deadline patience = Deadline::After(options_.call_timeout);
  const bool there = Wait(lock, patience, [&] { return members_[leader]->applied >= *from; });
  if (!there) return Error(ErrorCode::kUnavailable, "the leader does not get through what waits for it");
  return leader;
}

Status ReplicaGroup::CatchUp(std::size_t index) {
  Member& member = *members_[index];
  std::uint64_t from = 0;
  HOLDFAST_ASSIGN_OR_RETURN(const std::size_t leader, PrepareCopy(index, &from));
  const auto patience = [this] { return Deadline::After(options_.call_timeout); };
  HOLDFAST_ASSIGN_OR_RETURN(const auto stands, member.store.ReadMarker(patience()));
  ReplicaMarker marker = stands.value_or(ReplicaMarker{});
  if (marker.promised > term_) {
    return Error(ErrorCode::kFenced, fmt::format("another process has begun term {} on it", marker.promised));
  }
  marker.promised = term_;
  marker.complete = false;
  HOLDFAST_RETURN_IF_ERROR(member.store.WriteMarker(marker, patience()));

  comparisons_.fetch_add(1, std::memory_order_relaxed);
  std::size_t kept = 0;
  ReplicaComparison comparison;
  comparison.call_timeout = options_.call_timeout;
  comparison.stop = [this] {
    const Lock lock(mutex_);
    return stopping_;
  };
  comparison.replaced = [&](const std::string& key, const storage::Entry& row, const storage::Entry* by) {
    KeepConflict(key, row, by, &kept);
  };
  for (const FailoverRow kind : {FailoverRow::kCopy, FailoverRow::kConflict}) {
    comparison.rows = FailoverRange(kind, options_.range);
    HOLDFAST_ASSIGN_OR_RETURN(const std::uint64_t copied,
                              MakeSame(rows(leader).backend(), rows(index).backend(), comparison));
    copied_.fetch_add(copied, std::memory_order_relaxed);
  }
  return FinishCopy(index, leader, from);
}

Status ReplicaGroup::FinishCopy(std::size_t index, std::size_t leader, std::uint64_t from) {
  Member& member = *members_[index];
  Lock lock(mutex_);
  if (leader_ != leader || member.missed) {
    return Error(ErrorCode::kUnavailable, "the leader changed, or too much was written, while it was compared");
  }
  // Some rows are of batches that still wait for it.
  member.whole_at = sequence_;
  member.applied = member.begun = from;
  member.unsure = false;
  if (member.whole_at > from) return {};
  const ReplicaMarker marker = MarkerAt(from, version_.load(), true);
  lock.unlock();
  HOLDFAST_RETURN_IF_ERROR(member.store.WriteMarker(marker, Deadline::After(options_.call_timeout)));
  lock.lock();
  member.whole = true;
  Rejoin(member);
  return {};
}

// Versions tell a write that was never acknowledged, or not by enough replicas, from one that the replica slept
// through.
void ReplicaGroup::KeepConflict(const std::string& row_key, const storage::Entry& row, const storage::Entry* by,
                                std::size_t* kept) {
  const auto key = KeyOfRow(FailoverRow::kCopy, row_key);
  const storage::EntryPtr had = key ? DecodeFailoverCopy(row.value) : nullptr;
  if (had == nullptr) return;
  const storage::EntryPtr has = by != nullptr ? DecodeFailoverCopy(by->value) : nullptr;
  const bool lost =
      has != nullptr ? had->version > has->version : had->version > history_version_ && had->version < first_version_;
  if (!lost) return;
  conflicts_.fetch_add(1, std::memory_order_relaxed);
  if (++*kept > options_.max_conflicts) return;
  static_cast<void>(Append({ConflictRow(*key, had, has ? has->version : 0)}));
}

storage::Operation ReplicaGroup::ConflictRow(const std::string& key, const storage::EntryPtr& lost,
                                             storage::Version by) const {
  return storage::Operation::Put(ConflictKey(key, lost->version), EncodeJournalRow({lost, by, std::nullopt}), {},
                                 storage::Expiry::At(clock_.Now() + options_.conflict_ttl));
}

}  // namespace holdfast::composition
