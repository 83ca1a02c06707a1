#include "service/composition/replica_group.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::composition {

using storage::Operation;

ReplicaGroup::ReplicaGroup(std::vector<NamedReplica> replicas, ReplicaOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), relay_(std::make_shared<ChangeRelay>(replicas.size())) {
  for (NamedReplica& replica : replicas) {
    members_.push_back(std::make_unique<Member>(std::move(replica), options_.store));
    members_.back()->since = clock_.Now();
  }
}

void ReplicaGroup::Start() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i]->thread = std::thread([this, i] { Run(i); });
  }
  starter_ = std::thread([this] { Begin(); });
}

void ReplicaGroup::Stop() {
  {
    Lock lock(mutex_);
    Wait(lock, Deadline::After(options_.call_timeout), [this] {
      return std::all_of(members_.begin(), members_.end(),
                         [](const auto& member) { return member->standing != Standing::kUp || member->queue.empty(); });
    });
    stopping_ = true;
    changed_.notify_all();
  }
  if (starter_.joinable()) starter_.join();
  for (const auto& member : members_) {
    if (member->thread.joinable()) member->thread.join();
  }
}

bool ReplicaGroup::Wait(Lock& lock, const Deadline& deadline, const std::function<bool()>& done) {
  while (!done()) {
    if (stopping_ || deadline.Expired()) return false;
    const SteadyTime look_again = std::chrono::steady_clock::now() + options_.call_timeout / 4;
    changed_.wait_until(lock, std::min(deadline.WaitUntil(), look_again));
    FindHanging();
  }
  return true;
}

Status ReplicaGroup::AwaitSettled(const Deadline& deadline) {
  Lock lock(mutex_);
  if (term_ != 0 && committed_ >= abandoned_) return {};
  // What is in the way of a term may stay so: nobody waits for a second attempt.
  Wait(lock, deadline.Sooner(Deadline::After(options_.start_patience)),
       [this] { return term_ != 0 || !no_term_.empty(); });
  if (term_ == 0) return TooFew(no_term_.empty() ? "the store is starting" : no_term_);
  const Deadline patience = deadline.Sooner(Deadline::After(options_.call_timeout));
  if (Wait(lock, patience, [this] { return committed_ >= abandoned_; })) return {};
  return TooFew("a write that fewer have than the quorum stands in front");
}

Result<std::vector<std::size_t>> ReplicaGroup::Readers(std::size_t least, const Deadline& deadline) {
  Lock lock(mutex_);
  std::vector<std::size_t> readers;
  const auto has_all = [this](std::size_t i) {
    return members_[i]->standing == Standing::kUp && members_[i]->applied >= committed_;
  };
  const auto find = [&] {
    readers.clear();
    if (!leader_ || !has_all(*leader_)) return Up() < least;
    readers.push_back(*leader_);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (leader_ != i && has_all(i)) readers.push_back(i);
    }
    return readers.size() >= least || Up() < least;
  };
  const bool found = Wait(lock, deadline.Sooner(Deadline::After(options_.call_timeout)), find);
  if (found && !readers.empty() && readers.size() >= least) return readers;
  return TooFew(fmt::format("reads ask {}", least));
}

Status ReplicaGroup::AwaitShown(std::size_t replica, const Deadline& deadline) {
  Lock lock(mutex_);
  const std::uint64_t shown = members_[replica]->begun;
  const Deadline patience = deadline.Sooner(Deadline::After(options_.call_timeout));
  if (Wait(lock, patience, [&] { return committed_ >= shown; })) return {};
  return TooFew("what was read is not in as many as the quorum of writes");
}

Result<std::uint64_t> ReplicaGroup::Append(std::vector<Operation> operations) {
  auto batch = std::make_shared<ReplicaBatch>();
  for (const Operation& operation : operations) batch->bytes += operation.key.size() + operation.value.size();
  batch->operations = std::move(operations);
  batch->context = tracing::CurrentContext();
  const Lock lock(mutex_);
  if (stopping_ || term_ == 0 || Up() < options_.write_quorum) {
    return TooFew(fmt::format("writes need {}", options_.write_quorum));
  }
  batch->sequence = ++sequence_;
  batch->version = version_.load(std::memory_order_relaxed);
  for (const auto& member : members_) Push(*member, batch);
  changed_.notify_all();
  return batch->sequence;
}

Status ReplicaGroup::AwaitCommitted(std::uint64_t sequence, const Deadline& deadline) {
  Lock lock(mutex_);
  const auto decided = [&] { return committed_ >= sequence || Up() < options_.write_quorum; };
  if (Wait(lock, deadline, decided) && committed_ >= sequence) return {};
  if (committed_ >= sequence) return {};
  abandoned_ = std::max(abandoned_, sequence);
  return Error(ErrorCode::kOutcomeUnknown,
               fmt::format("{} of {} replicas are up, and fewer than {} have said that they have the write; it takes "
                           "effect with the next that is asked for, or is lost with the process",
                           Up(), members_.size(), options_.write_quorum));
}

void ReplicaGroup::AwaitApplied() {
  Lock lock(mutex_);
  const std::uint64_t target = sequence_;
  const auto lags = [&](const auto& member) { return member->standing == Standing::kUp && member->applied < target; };
  Wait(lock, Deadline::After(options_.call_timeout),
       [&] { return std::none_of(members_.begin(), members_.end(), lags); });
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (lags(members_[i])) Away(i, Error(ErrorCode::kDeadlineExceeded, "it does not get through what waits for it"));
  }
}

void ReplicaGroup::Suspect(std::size_t replica, const Error& error) {
  const Lock lock(mutex_);
  if (members_[replica]->standing == Standing::kUp) Away(replica, error);
}

void ReplicaGroup::CountDivergence(bool conflict) {
  divergences_.fetch_add(1, std::memory_order_relaxed);
  if (conflict) conflicts_.fetch_add(1, std::memory_order_relaxed);
}

std::size_t ReplicaGroup::Up() const {
  return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(),
                                                [](const auto& member) { return member->standing == Standing::kUp; }));
}

void ReplicaGroup::Push(Member& member, const ReplicaBatchPtr& batch) {
  if (member.missed) return;
  member.queue.push_back(batch);
  member.queued_operations += batch->operations.size();
  member.queued_bytes += batch->bytes;
  const bool full = member.queued_operations > options_.queue_operations || member.queued_bytes > options_.queue_bytes;
  if (!full || member.queue.size() == 1) return;
  Forget(member);
  if (member.standing == Standing::kUp) {
    const auto found =
        std::find_if(members_.begin(), members_.end(), [&](const auto& one) { return &*one == &member; });
    Away(static_cast<std::size_t>(found - members_.begin()),
         Error(ErrorCode::kResourceExhausted, "more waited for it than replica_queue_operations or _bytes allow"));
  }
}

void ReplicaGroup::Forget(Member& member) {
  member.queue.clear();
  member.queued_operations = member.queued_bytes = 0;
  member.missed = true;
}

void ReplicaGroup::Stand(Member& member, Standing standing, std::string reason) {
  if (member.standing == standing && member.reason == reason) return;
  if (member.standing != standing) member.since = clock_.Now();
  member.standing = standing;
  member.reason = std::move(reason);
  told_ = false;
}

void ReplicaGroup::Away(std::size_t index, const Error& error) {
  Member& member = *members_[index];
  Stand(member, Standing::kAway, error.message());
  member.unsure = true;
  member.retry_at = std::chrono::steady_clock::now() + options_.retry_pause;
  if (leader_ == index) leader_.reset();
  Advance();
}

void ReplicaGroup::Advance() {
  ChooseLeader();
  std::vector<std::uint64_t> applied;
  for (const auto& member : members_) {
    if (member->whole) applied.push_back(member->applied);
  }
  if (leader_ && applied.size() >= options_.write_quorum) {
    std::sort(applied.rbegin(), applied.rend());
    const std::uint64_t enough = std::min(applied[options_.write_quorum - 1], members_[*leader_]->applied);
    committed_ = std::max(committed_, enough);
    relay_->Release(committed_);
  }
  changed_.notify_all();
}

void ReplicaGroup::ChooseLeader() {
  if (leader_) return;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i]->standing != Standing::kUp) continue;
    if (!leader_ || members_[i]->applied > members_[*leader_]->applied) leader_ = i;
  }
  if (!leader_) return;
  ++leader_changes_;
  relay_->Lead(*leader_, members_[*leader_]->applied);
  told_ = false;
}

// A replica that is paused does not come back from its call: nobody is to wait for it.
void ReplicaGroup::FindHanging() {
  const SteadyTime latest = std::chrono::steady_clock::now() - options_.call_timeout;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = *members_[i];
    if (member.standing == Standing::kAway || !member.calling_since || *member.calling_since > latest) continue;
    Away(i, Error(ErrorCode::kDeadlineExceeded, "a write to it has not ended within replica_call_timeout"));
  }
}

Error ReplicaGroup::TooFew(std::string_view what) const {
  std::string away;
  for (const auto& member : members_) {
    if (member->standing != Standing::kUp && !member->reason.empty()) {
      away += fmt::format("; {}: {}", member->name, member->reason);
    }
  }
  return {ErrorCode::kUnavailable,
          fmt::format("{} of {} replicas are up ({}); nothing was done{}", Up(), members_.size(), what, away)};
}

storage::ReplicationStatus ReplicaGroup::status() const {
  const Lock lock(mutex_);
  return StatusLocked();
}

storage::ReplicationStatus ReplicaGroup::StatusLocked() const {
  storage::ReplicationStatus status;
  status.mode = options_.eventual ? "eventual" : "quorum";
  status.write_quorum = options_.write_quorum;
  status.read_quorum = options_.read_quorum;
  status.term = term_;
  if (term_ == 0) {
    status.reason = no_term_.empty() ? "the store is starting" : no_term_;
  } else if (Up() < std::max(options_.write_quorum, options_.read_quorum)) {
    status.reason =
        TooFew(fmt::format("writes need {}, reads {}", options_.write_quorum, options_.read_quorum)).message();
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = *members_[i];
    const char* const standing = member.standing == Standing::kUp     ? "up"
                                 : member.standing == Standing::kAway ? "away"
                                                                      : "catching_up";
    status.replicas.push_back({member.name, standing, leader_ == i, member.since, member.reason, member.queue.size()});
  }
  status.in_doubt = abandoned_ > committed_ ? abandoned_ - committed_ : 0;
  status.comparisons = comparisons_.load(std::memory_order_relaxed);
  status.copied = copied_.load(std::memory_order_relaxed);
  status.divergences = divergences_.load(std::memory_order_relaxed);
  status.conflicts = conflicts_.load(std::memory_order_relaxed);
  status.leader_changes = leader_changes_ > 0 ? leader_changes_ - 1 : 0;
  return status;
}

}  // namespace holdfast::composition
