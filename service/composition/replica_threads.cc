// What the thread of a replica does.
#include <fmt/format.h>

#include "service/composition/replica_group.h"

namespace holdfast::composition {

void ReplicaGroup::Run(std::size_t index) {
  Member& member = *members_[index];
  Lock lock(mutex_);
  while (!stopping_) {
    if (!HasWork(member)) {
      const SteadyTime latest = std::chrono::steady_clock::now() + std::chrono::hours{1};
      changed_.wait_until(lock, member.retry_at.value_or(latest));
      continue;
    }
    member.retry_at.reset();
    const Status done = Step(lock, index);
    if (!done.ok() && !stopping_) Away(index, done.error());
    if (told_ || !options_.on_change) continue;
    told_ = true;
    const storage::ReplicationStatus status = StatusLocked();
    lock.unlock();
    options_.on_change(status);
    lock.lock();
  }
}

bool ReplicaGroup::HasWork(const Member& member) const {
  if (term_ == 0) return false;
  if (member.retry_at && std::chrono::steady_clock::now() < *member.retry_at) return false;
  return member.missed || member.unsure || !member.queue.empty();
}

Status ReplicaGroup::Step(Lock& lock, std::size_t index) {
  Member& member = *members_[index];
  if (member.missed) {
    lock.unlock();
    Status copied = CatchUp(index);
    lock.lock();
    if (!copied.ok()) Forget(member);
    return copied;
  }
  if (member.unsure) HOLDFAST_RETURN_IF_ERROR(Resync(lock, member));
  if (member.missed) return {};
  if (member.queue.empty()) {
    Rejoin(member);
    return {};
  }
  return ApplyWaiting(lock, index);
}

// After a call of which it is not known what it did.
Status ReplicaGroup::Resync(Lock& lock, Member& member) {
  lock.unlock();
  const auto read = member.store.ReadMarker(Deadline::After(options_.call_timeout));
  lock.lock();
  if (!read.ok()) return read.error();
  if (*read && (*read)->promised > term_) {
    return Error(ErrorCode::kFenced,
                 fmt::format("another process has begun term {} on it: a replicated store is for one process",
                             (*read)->promised));
  }
  const bool ours =
      *read && (*read)->promised == term_ && (*read)->sequence >= member.applied && (*read)->sequence <= member.begun;
  member.unsure = false;
  if (!ours) {
    Forget(member);
    return {};
  }
  member.whole = (*read)->complete;
  member.applied = (*read)->sequence;
  DropApplied(member);
  return {};
}

Status ReplicaGroup::ApplyWaiting(Lock& lock, std::size_t index) {
  Member& member = *members_[index];
  const std::vector<ReplicaBatchPtr> batches = Take(member);
  const ReplicaBatch& last = *batches.back();
  const bool whole = member.whole || last.sequence >= member.whole_at;
  const ReplicaMarker marker = MarkerAt(last.sequence, last.version, whole);
  member.begun = last.sequence;
  member.calling_since = std::chrono::steady_clock::now();
  relay_->Begin(index, last.sequence);
  lock.unlock();
  tracing::SharedContext contexts;
  for (const ReplicaBatchPtr& batch : batches) contexts.Add(batch->context);
  const Status applied = [&] {
    const tracing::Scope scope(contexts.Take());
    return member.store.Apply(batches, marker, Deadline::After(options_.call_timeout));
  }();
  lock.lock();
  member.calling_since.reset();
  HOLDFAST_RETURN_IF_ERROR(applied);
  member.unsure = false;
  member.whole = whole;
  member.applied = last.sequence;
  DropApplied(member);
  Rejoin(member);
  return {};
}

void ReplicaGroup::Rejoin(Member& member) {
  if (member.whole && !member.missed && member.applied >= committed_) Stand(member, Standing::kUp, "");
  Advance();
}

void ReplicaGroup::DropApplied(Member& member) {
  while (!member.queue.empty() && member.queue.front()->sequence <= member.applied) {
    member.queued_operations -= member.queue.front()->operations.size();
    member.queued_bytes -= member.queue.front()->bytes;
    member.queue.pop_front();
  }
}

// As many as one transaction of the replica holds, but at least one.
std::vector<ReplicaBatchPtr> ReplicaGroup::Take(Member& member) const {
  std::vector<ReplicaBatchPtr> taken;
  std::size_t operations = 0;
  for (const ReplicaBatchPtr& batch : member.queue) {
    operations += batch->operations.size();
    if (!taken.empty() && operations > member.store.max_operations()) break;
    taken.push_back(batch);
  }
  return taken;
}

ReplicaMarker ReplicaGroup::MarkerAt(std::uint64_t sequence, storage::Version version, bool whole) const {
  return {term_, term_, sequence, version, whole};
}

}  // namespace holdfast::composition
