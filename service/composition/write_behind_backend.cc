#include "service/composition/write_behind_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "service/composition/admitted.h"
#include "service/composition/replay.h"
#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Operation;
using storage::OperationKind;
using storage::OperationResult;
using storage::Precondition;
using storage::Version;

namespace {

bool MayQueue(const Operation& operation) {
  const bool kind = operation.kind == OperationKind::kPut || operation.kind == OperationKind::kDelete;
  return kind && operation.precondition.kind == Precondition::Kind::kNone && IsPlainKey(operation.key);
}

std::vector<std::string_view> KeysOf(std::span<const Operation> operations) {
  std::vector<std::string_view> keys;
  keys.reserve(operations.size());
  for (const Operation& operation : operations) keys.push_back(operation.key);
  return keys;
}

std::int64_t SteadyNow() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

}  // namespace

// What stands under a key that is written, as far as it is known, and how the next write of it follows that.
struct WriteBehindBackend::Known {
  EntryPtr entry;  // live
  JournalRow base;
  QueuedRow::Base how = QueuedRow::Base::kKnown;
};

WriteBehindBackend::WriteBehindBackend(std::shared_ptr<storage::Backend> record,
                                       std::shared_ptr<storage::Backend> queue, WriteBehindOptions options,
                                       const Clock& clock)
    : ForwardingBackend(std::move(record)),
      exact_(backend().capabilities().reserves_versions),
      options_(std::move(options)),
      clock_(clock),
      queue_(std::move(queue), options_.queue, clock),
      versions_(queue_.rows(), options_.queue.range, clock),
      drain_(
          queue_, backend(), exact_, options_.drain,
          [this](const QueuedWrite& write, Version version) { Remember(write, version); }, clock) {}

Status WriteBehindBackend::Start(Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(queue_.Open(deadline).WithContext("the queue of writes"));
  if (!exact_) HOLDFAST_RETURN_IF_ERROR(versions_.Open(deadline).WithContext("the queue of writes"));
  drain_.Start();
  return {};
}

storage::Capabilities WriteBehindBackend::capabilities() const {
  storage::Capabilities capabilities = backend().capabilities();
  const storage::Capabilities queue = queue_.rows().capabilities();
  if (!queue.durable_ack) capabilities.durability = queue.durability;
  capabilities.durable_ack = capabilities.durable_ack && queue.durable_ack;
  capabilities.versions_final = exact_;
  capabilities.inline_writes = false;
  return capabilities;
}

void WriteBehindBackend::Execute(Operations operations, Results results, Deadline deadline) {
  // What the system of record would refuse, it is to refuse itself.
  if (closed_ || deadline.Expired() || operations.empty() || operations.size() > limits().max_operations) {
    return backend().Execute(operations, results, deadline);
  }
  std::set<std::string_view> direct;   // keys with an operation that cannot be queued
  std::set<std::string_view> written;  // the others that are written
  for (const Operation& operation : operations) {
    if (!storage::IsWrite(operation.kind)) continue;
    (options_.takes && MayQueue(operation) ? written : direct).insert(operation.key);
  }
  if (direct.empty() && written.empty()) return Get(operations, results, deadline);
  std::vector<std::size_t> read;
  std::vector<std::size_t> sent;
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const std::string_view key = operations[i].key;
    (direct.contains(key) ? sent : written.contains(key) ? taken : read).push_back(i);
  }
  RunAt(taken, operations, results, [&](const auto& some, auto& answers) { Take(some, answers, deadline); });
  RunAt(sent, operations, results, [&](const auto& some, auto& answers) { Direct(some, answers, deadline); });
  RunAt(read, operations, results, [&](const auto& some, auto& answers) { Get(some, answers, deadline); });
}

void WriteBehindBackend::Get(Operations gets, Results results, const Deadline& deadline) {
  if (queue_.empty()) return backend().Execute(gets, results, deadline);
  const Timestamp now = clock_.Now();
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < gets.size(); ++i) {
    const auto found = queue_.Find(gets[i].key);
    if (!found) {
      others.push_back(i);
      continue;
    }
    const bool live = found->entry && !storage::IsExpired(*found->entry, now);
    storage::DecideGet(gets[i], live ? found->entry : nullptr, results[i]);
  }
  RunAt(others, gets, results, [&](const auto& some, auto& answers) { backend().Execute(some, answers, deadline); });
}

void WriteBehindBackend::Take(Operations operations, Results results, const Deadline& deadline) {
  RunAdmitted(
      operations, results, [this](const Operation& operation) { return storage::Validate(operation, limits()); },
      [&](const auto& valid, auto& answers) {
        const Status taken = TakeAll(valid, answers, deadline);
        if (!taken.ok()) storage::FailAll(answers, taken.error());
      });
}

Status WriteBehindBackend::TakeAll(Operations operations, Results results, const Deadline& deadline) {
  std::size_t bytes = 0;
  for (const Operation& operation : operations) {
    bytes += WriteQueue::BytesOf({operation.key, {}}) + operation.value.size() + operation.metadata.size();
  }
  // Waited for before anything is locked.
  HOLDFAST_ASSIGN_OR_RETURN(const WriteQueue::Room room, queue_.AwaitRoom(operations.size(), bytes, deadline));
  const std::shared_lock range(ranges_);
  const storage::KeyLocks::Held held = locks_.Lock(KeysOf(operations));
  for (bool done = false; !done;) {
    KnownKeys known;
    for (const Operation& operation : operations) known.try_emplace(operation.key);
    HOLDFAST_RETURN_IF_ERROR(Look(known, deadline));
    HOLDFAST_ASSIGN_OR_RETURN(const std::vector<WriteQueue::New> writes,
                              DecideAll(operations, results, known, deadline));
    if (writes.empty()) return {};
    HOLDFAST_ASSIGN_OR_RETURN(done, queue_.Append(writes, deadline));
  }
  return {};
}

Status WriteBehindBackend::Look(KnownKeys& known, const Deadline& deadline) {
  const Timestamp now = clock_.Now();
  std::vector<Operation> gets;
  for (auto& [key, one] : known) {
    const auto found = queue_.Find(key);
    if (!found) {
      gets.push_back(Operation::Get(key));
      continue;
    }
    one.entry = found->entry && !storage::IsExpired(*found->entry, now) ? found->entry : nullptr;
    one.how = exact_ ? QueuedRow::Base::kKnown : QueuedRow::Base::kPrevious;
    if (found->entry) one.base = {nullptr, found->entry->version, found->entry->expires_at};
  }
  if (gets.empty()) return {};
  // Where it cannot do without, it waits as a read does.
  const bool ask = exact_ || SteadyNow() >= ask_again_.load(std::memory_order_relaxed);
  Result<std::vector<EntryPtr>> there = Error(ErrorCode::kUnavailable, "not asked");
  if (ask) {
    there = ReadThere(backend(), gets, exact_ ? deadline : deadline.Sooner(Deadline::After(options_.lookup_timeout)));
  }
  if (!there.ok() && exact_) return there.error();
  if (!there.ok() && ask) {
    const auto later = std::chrono::steady_clock::now() + options_.drain.retry_min + options_.lookup_timeout;
    ask_again_.store(later.time_since_epoch().count(), std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < gets.size(); ++i) {
    Known& one = known.find(gets[i].key)->second;
    if (!there.ok()) {
      one.how = QueuedRow::Base::kUnknown;
    } else if ((*there)[i] != nullptr) {
      one.entry = (*there)[i];
      one.base = {nullptr, one.entry->version, one.entry->expires_at};
    }
  }
  return {};
}

Result<std::vector<WriteQueue::New>> WriteBehindBackend::DecideAll(Operations operations, Results results,
                                                                   KnownKeys& known, const Deadline& deadline) {
  Version reserved = 0;
  if (exact_) {
    HOLDFAST_ASSIGN_OR_RETURN(reserved, backend().ReserveVersions(operations.size()));
  }
  const Timestamp now = clock_.Now();
  std::vector<WriteQueue::New> writes;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Known& one = known.find(operations[i].key)->second;
    const bool blind = one.how == QueuedRow::Base::kUnknown;
    if (blind && operations[i].expiry.kind == storage::Expiry::Kind::kKeep) {
      return Error(ErrorCode::kUnavailable,
                   "the store's backend cannot be asked for the expiry that the key is to keep; nothing was done, try "
                   "again when it answers, or give the write an expiry of its own");
    }
    Version version = exact_ ? reserved++ : 0;
    if (!exact_) {
      HOLDFAST_ASSIGN_OR_RETURN(version, versions_.Next(one.entry ? one.entry->version : 0, deadline));
    }
    storage::Decision decision = Decide(operations[i], one.entry, version, now, results[i]);
    const bool erases = blind && operations[i].kind == OperationKind::kDelete;
    if (decision.change == storage::Change::kNone && !erases) continue;
    JournalRow write{decision.entry, one.base.base, one.base.base_expires_at};
    writes.push_back({operations[i].key, {std::move(write), one.how, now}});
    one.entry = decision.entry;
    one.how = exact_ ? QueuedRow::Base::kKnown : QueuedRow::Base::kPrevious;
    one.base = decision.entry ? JournalRow{nullptr, decision.entry->version, decision.entry->expires_at} : JournalRow{};
    if (one.entry && storage::IsExpired(*one.entry, now)) one.entry = nullptr;
  }
  return writes;
}

Result<storage::KeyLocks::Held> WriteBehindBackend::LockDrained(std::span<const std::string_view> keys,
                                                                const Deadline& deadline) {
  for (;;) {
    HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(keys, Patience(deadline)));
    storage::KeyLocks::Held held = locks_.Lock(keys);
    const bool drained = queue_.empty() || std::none_of(keys.begin(), keys.end(), [this](std::string_view key) {
                           return queue_.Find(key).has_value();
                         });
    if (drained) return held;
  }
}

void WriteBehindBackend::Direct(Operations operations, Results results, const Deadline& deadline) {
  const std::vector<std::string_view> keys = KeysOf(operations);
  const auto held = LockDrained(keys, deadline);
  if (!held.ok()) return storage::FailAll(results, held.error());
  if (exact_) return backend().Execute(operations, results, deadline);
  std::vector<Operation> translated(operations.begin(), operations.end());
  for (Operation& operation : translated) {
    operation.precondition = Translated(operation.key, std::move(operation.precondition));
  }
  backend().Execute(translated, results, deadline);
}

Result<storage::TransactionResult> WriteBehindBackend::Transact(const storage::Transaction& transaction,
                                                                Deadline deadline) {
  std::vector<std::string_view> keys;
  for (const storage::Condition& condition : transaction.conditions) keys.push_back(condition.key);
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) keys.push_back(operation.key);
  }
  if (closed_ || deadline.Expired() || keys.empty()) return backend().Transact(transaction, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const storage::KeyLocks::Held held, LockDrained(keys, deadline));
  if (exact_) return backend().Transact(transaction, deadline);
  storage::Transaction translated = transaction;
  for (storage::Condition& condition : translated.conditions) {
    condition.precondition = Translated(condition.key, std::move(condition.precondition));
  }
  for (auto* branch : {&translated.then, &translated.otherwise}) {
    for (Operation& operation : *branch) {
      operation.precondition = Translated(operation.key, std::move(operation.precondition));
    }
  }
  return backend().Transact(translated, deadline);
}

Result<storage::ScanPage> WriteBehindBackend::Scan(const storage::ScanRequest& request, Deadline deadline) {
  if (request.consistency == storage::Consistency::kStrong && !closed_) {
    HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(request.range, Patience(deadline)));
  }
  return backend().Scan(request, deadline);
}

Result<std::uint64_t> WriteBehindBackend::Count(const storage::KeyRange& range, Deadline deadline) {
  if (!closed_) {
    HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(range, Patience(deadline)));
  }
  return backend().Count(range, deadline);
}

Result<std::uint64_t> WriteBehindBackend::DeleteRange(const storage::KeyRange& range, Deadline deadline) {
  if (closed_) return backend().DeleteRange(range, deadline);
  HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(range, Patience(deadline)));
  // What is queued from here on is decided on what is left.
  const std::unique_lock lock(ranges_);
  HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(range, Patience(deadline)));
  return backend().DeleteRange(range, deadline);
}

Result<std::unique_ptr<storage::Snapshot>> WriteBehindBackend::OpenSnapshot(const storage::KeyRange& range,
                                                                            Deadline deadline) {
  if (!closed_) {
    HOLDFAST_RETURN_IF_ERROR(queue_.AwaitDrained(range, Patience(deadline)));
  }
  return backend().OpenSnapshot(range, deadline);
}

void WriteBehindBackend::Remember(const QueuedWrite& write, Version version) {
  if (exact_) return;
  const EntryPtr& entry = write.row.write.entry;
  const std::lock_guard lock(mutex_);
  if (brought_.insert_or_assign(write.key, std::pair(entry ? entry->version : 0, version)).second) {
    brought_order_.push_back(write.key);
  }
  if (brought_order_.size() <= kRemembered) return;
  brought_.erase(brought_order_.front());
  brought_order_.pop_front();
}

Precondition WriteBehindBackend::Translated(const std::string& key, Precondition precondition) const {
  if (precondition.kind != Precondition::Kind::kVersion || precondition.version < kSecondaryVersions) {
    return precondition;
  }
  const std::lock_guard lock(mutex_);
  const auto brought = brought_.find(key);
  if (brought != brought_.end() && brought->second.first == precondition.version) {
    precondition.version = brought->second.second;
  }
  return precondition;
}

storage::Statistics WriteBehindBackend::statistics() const {
  // Before the record is asked: what leaves meanwhile is counted twice rather than not at all.
  const std::uint64_t waiting = queue_.entries();
  const std::uint64_t waiting_bytes = queue_.bytes();
  storage::Statistics statistics = backend().statistics();
  if (closed_) return statistics;
  statistics.entries += waiting;
  statistics.bytes += waiting_bytes;
  statistics.entries_estimated = statistics.entries_estimated || waiting > 0;
  return statistics;
}

Status WriteBehindBackend::Close() {
  closed_ = true;
  drain_.Stop(Deadline::After({}));
  Status record = backend().Close();
  Status queue = queue_.rows().Close();
  return record.ok() ? std::move(queue) : std::move(record);
}

storage::WriteQueueStatus WriteBehindBackend::status() const {
  storage::WriteQueueStatus status;
  status.mode = !options_.takes ? "through" : options_.queue.delay.count() > 0 ? "back" : "behind";
  status.versions_final = exact_;
  status.entries = queue_.entries();
  status.bytes = queue_.bytes();
  status.oldest = queue_.Oldest();
  status.away = drain_.away();
  status.reason = drain_.reason();
  status.drained = queue_.drained();
  status.coalesced = queue_.coalesced();
  status.conflicts = queue_.conflicts();
  status.retries = drain_.retries();
  status.refused = queue_.refused();
  return status;
}

Result<storage::FailoverConflicts> WriteBehindBackend::Conflicts(const storage::KeyRange& keys, std::size_t most,
                                                                 Deadline deadline) const {
  return queue_.Conflicts(keys, most, deadline);
}

}  // namespace holdfast::composition
