#include "service/backends/postgres/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "service/backends/postgres/entry_row.h"
#include "service/storage/decision.h"

namespace holdfast::storage::postgres {
namespace {

// Of one call of write_entries; longer batches are several.
constexpr std::size_t kRowsPerCall = 1'000;
constexpr std::size_t kBytesPerCall = 16u << 20;
constexpr std::int64_t kRowsPerSweep = 1'000;
// Behind so many the keys are locked before they are read.
constexpr int kUnlockedAttempts = 2;
// What is still refused then is answered as it is.
constexpr int kAttempts = 10;

// FNV-1a, folded: every instance has to come to the same number.
std::uint32_t StripeOf(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : key) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return static_cast<std::uint32_t>((hash ^ (hash >> 32)) % KeyLocks::kStripes);
}

// Rising, each once.
template <typename Value>
void SortOnce(std::vector<Value>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void Fail(OperationResult& result, const Error& error) {
  result = OperationResult{};
  result.status = error;
}

EntryPtr Live(const EntryPtr& stored, Timestamp now) {
  return stored && !IsExpired(*stored, now) ? stored : nullptr;
}

bool IsBlind(const Operation& operation) {
  if (operation.precondition.kind != Precondition::Kind::kNone) return false;
  return operation.kind == OperationKind::kDelete ||
         (operation.kind == OperationKind::kPut && operation.expiry.kind != Expiry::Kind::kKeep);
}

// A version no entry can have must not meet a provisional one.
void Defuse(Precondition& precondition) {
  if (precondition.kind == Precondition::Kind::kVersion && precondition.version >= kProvisionalVersion) {
    precondition.version = 0;
  }
}

Decision DecideDefused(const Operation& operation, const EntryPtr& current, Version version, Timestamp now,
                       OperationResult& result) {
  const Precondition& precondition = operation.precondition;
  if (precondition.kind != Precondition::Kind::kVersion || precondition.version < kProvisionalVersion) {
    return Decide(operation, current, version, now, result);
  }
  Operation defused = operation;
  Defuse(defused.precondition);
  return Decide(defused, current, version, now, result);
}

Error TooLate() {
  return {ErrorCode::kDeadlineExceeded, "the deadline passed before anything was written"};
}

Error Contended() {
  return {ErrorCode::kUnavailable,
          fmt::format("others changed the same keys {} times meanwhile: try again", kAttempts)};
}

}  // namespace

// A key of the call, and what its operations come to.
struct Writer::KeyPlan {
  std::string_view key;
  std::vector<std::size_t> operations;  // in their order
  bool blind = false;
  bool done = false;
  EntryPtr stored;                     // as it was read
  EntryPtr next;                       // what the operations leave
  std::optional<std::size_t> changed;  // the first of `operations` that changes something
};

struct Writer::Call {
  std::span<const Operation> operations;
  std::span<OperationResult> results;
  std::vector<KeyPlan> keys;           // in the order of keys
  std::vector<std::uint32_t> stripes;  // of those with a write
  Deadline deadline = Deadline::Infinite();

  // Decides every operation of the key on what was read; false when nothing is to be written.
  bool DecideKey(KeyPlan& plan, const EntryPtr& current, Version first_version, Timestamp now) {
    EntryPtr entry = current;
    plan.changed.reset();
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
      const std::size_t index = plan.operations[i];
      const Decision decision = DecideDefused(operations[index], entry, first_version + index, now, results[index]);
      if (decision.change == Change::kNone) continue;
      entry = decision.entry;
      if (!plan.changed) plan.changed = i;
    }
    plan.next = std::move(entry);
    return plan.changed.has_value();
  }

  // What does not tell of something unwritten keeps its answer.
  void FailPending(const Error& error) {
    for (KeyPlan& plan : keys) {
      if (plan.done) continue;
      for (std::size_t i = plan.changed.value_or(0); i < plan.operations.size(); ++i) {
        Fail(results[plan.operations[i]], error);
      }
    }
  }
  bool Done() const {
    return std::all_of(keys.begin(), keys.end(), [](const KeyPlan& plan) { return plan.done; });
  }
};

// A transaction that holds the locks of its keys from its beginning; undone when it goes uncommitted.
class Writer::LockedTransaction {
 public:
  LockedTransaction(Connection& connection, const Statements& statements, Deadline deadline)
      : connection_(connection), statements_(statements), deadline_(deadline) {}
  ~LockedTransaction() {
    if (begun_ && connection_.usable()) static_cast<void>(connection_.RunPlain(statements_.rollback, deadline_));
  }
  LockedTransaction(const LockedTransaction&) = delete;
  LockedTransaction& operator=(const LockedTransaction&) = delete;

  Status Begin(std::span<const std::uint32_t> stripes) {
    Answered begun = connection_.RunPlain(statements_.begin, deadline_);
    if (!begun.ok()) return begun.failure->error;
    begun_ = true;
    ArrayParameter locks(ArrayParameter::Type::kInteger);
    for (const std::uint32_t stripe : stripes) locks.AddInteger(static_cast<std::int32_t>(stripe));
    const Answered locked = connection_.Run(statements_.lock_keys, deadline_, Bound(locks));
    if (!locked.ok()) return locked.failure->error;
    return {};
  }
  Status Commit() {
    begun_ = false;
    const Answered committed = connection_.RunPlain(statements_.commit, deadline_);
    if (!committed.ok()) return committed.failure->error;
    return {};
  }

 private:
  Connection& connection_;
  const Statements& statements_;
  const Deadline deadline_;
  bool begun_ = false;
};

bool Writer::MayRetry(const std::optional<StatementFailure>& failure, std::int64_t instance, Deadline deadline) {
  if (!failure || deadline.Expired()) return false;
  if (failure->sqlstate == kNotAnInstance) return changes_.Rejoin(instance, deadline).ok();
  return failure->Retryable();
}

void Writer::Execute(std::span<const Operation> operations, std::span<OperationResult> results, Deadline deadline) {
  for (std::size_t begin = 0; begin < operations.size();) {
    std::size_t end = begin;
    for (std::size_t bytes = 0; end < operations.size() && end - begin < kRowsPerCall; ++end) {
      bytes += operations[end].key.size() + operations[end].value.size();
      if (bytes > kBytesPerCall && end > begin) break;
    }
    ExecuteChunk(operations.subspan(begin, end - begin), results.subspan(begin, end - begin), deadline);
    begin = end;
  }
}

void Writer::ExecuteChunk(std::span<const Operation> operations, std::span<OperationResult> results,
                          Deadline deadline) {
  Call call{operations, results, {}, {}, deadline};
  std::vector<std::size_t> order;
  order.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Status valid = Validate(operations[i], options_.limits);
    if (valid.ok()) {
      order.push_back(i);
    } else {
      Fail(results[i], valid.error());
    }
  }
  if (order.empty()) return;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return operations[a].key < operations[b].key; });
  for (const std::size_t i : order) {
    if (call.keys.empty() || call.keys.back().key != operations[i].key) {
      call.keys.emplace_back().key = operations[i].key;
      call.keys.back().blind = IsBlind(operations[i]);
    } else {
      call.keys.back().blind = false;
    }
    call.keys.back().operations.push_back(i);
  }
  for (const KeyPlan& plan : call.keys) {
    const bool writes = std::any_of(plan.operations.begin(), plan.operations.end(),
                                    [&](std::size_t i) { return IsWrite(operations[i].kind); });
    if (writes) call.stripes.push_back(StripeOf(plan.key));
  }
  SortOnce(call.stripes);

  const KeyLocks::Held held = locks_.LockStripes(call.stripes);
  if (deadline.Expired()) return call.FailPending(TooLate());
  const Status done = pool_.Use(deadline, [&](Connection& connection) -> Status {
    for (int attempt = 0; !call.Done(); ++attempt) {
      if (attempt == kAttempts) return Contended();
      if (attempt > 0 && deadline.Expired()) return TooLate();
      HOLDFAST_RETURN_IF_ERROR(Attempt(call, connection, attempt >= kUnlockedAttempts));
    }
    return {};
  });
  if (!done.ok()) call.FailPending(done.error());
}

Status Writer::Attempt(Call& call, Connection& connection, bool locked) {
  LockedTransaction transaction(connection, statements_, call.deadline);
  if (locked) HOLDFAST_RETURN_IF_ERROR(transaction.Begin(call.stripes));

  std::vector<std::string_view> wanted;
  std::vector<KeyPlan*> read;
  for (KeyPlan& plan : call.keys) {
    if (plan.done || plan.blind) continue;
    wanted.push_back(plan.key);
    read.push_back(&plan);
  }
  WriteCall write;
  WriteCall::Terms terms;
  std::vector<KeyPlan*> written;
  if (!wanted.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(StoredRows stored, reader_.Read(connection, wanted, call.deadline));
    terms.read_at = stored.at;
    for (std::size_t i = 0; i < read.size(); ++i) {
      KeyPlan& plan = *read[i];
      plan.stored = std::move(stored.entries[i]);
      if (!call.DecideKey(plan, Live(plan.stored, stored.at), kProvisionalVersion, stored.at)) {
        plan.done = true;
        continue;
      }
      if (plan.next || Live(plan.stored, stored.at)) {
        write.Add(plan.key, plan.stored, plan.next);
      } else {
        // A write and its undoing leave nothing, but they were given versions.
        write.AddCheck(plan.key, plan.stored);
      }
      written.push_back(&plan);
    }
  }
  for (KeyPlan& plan : call.keys) {
    if (plan.done || !plan.blind) continue;
    plan.changed = 0;
    write.AddBlind(call.operations[plan.operations.front()], plan.operations.front());
    written.push_back(&plan);
  }
  if (write.empty()) return {};

  terms.writer = changes_.identity();
  std::optional<StatementFailure> failure;
  Result<WriteAnswer> answer = write.Run(connection, statements_, call.stripes, terms, clock_, call.deadline, &failure);
  if (!answer.ok()) {
    if (MayRetry(failure, terms.writer.instance, call.deadline)) return {};
    return std::move(answer).error();
  }
  if (locked) HOLDFAST_RETURN_IF_ERROR(transaction.Commit());

  std::vector<EntryChange> changes;
  for (std::size_t i = 0; i < written.size(); ++i) {
    KeyPlan& plan = *written[i];
    WriteAnswer::Row& row = answer->rows[i];
    if (!plan.blind && !row.held) continue;  // somebody was faster: once more
    plan.done = true;
    // Decided again, now with the versions that were drawn under the locks.
    const Timestamp now = plan.blind ? answer->at : *terms.read_at;
    const bool changed = call.DecideKey(plan, Live(row.before, now), answer->first_version, now);
    const bool left_a_trace = plan.next || Live(row.before, now);
    if (changed && left_a_trace) changes.push_back({plan.key, std::move(row.before), plan.next});
  }
  changes_.Publish(changes, ChangeCause::kOperation, *answer, call.deadline);
  return {};
}

Result<TransactionResult> Writer::Transact(const Transaction& given, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(Validate(given, options_.limits));
  Transaction transaction = given;
  for (Condition& condition : transaction.conditions) Defuse(condition.precondition);
  for (std::vector<Operation>* branch : {&transaction.then, &transaction.otherwise}) {
    for (Operation& operation : *branch) Defuse(operation.precondition);
  }
  std::vector<std::string_view> keys;
  bool writes = false;
  for (const Condition& condition : transaction.conditions) keys.push_back(condition.key);
  for (const std::vector<Operation>* branch : {&transaction.then, &transaction.otherwise}) {
    for (const Operation& operation : *branch) {
      keys.push_back(operation.key);
      writes = writes || IsWrite(operation.kind);
    }
  }
  SortOnce(keys);
  std::vector<std::uint32_t> stripes;
  if (writes) {
    for (const std::string_view key : keys) stripes.push_back(StripeOf(key));
    SortOnce(stripes);
  }

  const KeyLocks::Held held = locks_.LockStripes(stripes);
  if (deadline.Expired()) return TooLate();
  std::optional<TransactionResult> result;
  HOLDFAST_RETURN_IF_ERROR(pool_.Use(deadline, [&](Connection& connection) -> Status {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (attempt > 0 && deadline.Expired()) return TooLate();
      HOLDFAST_ASSIGN_OR_RETURN(
          result, AttemptTransaction(transaction, keys, stripes, connection, attempt >= kUnlockedAttempts, deadline));
      if (result) return {};
    }
    return Contended();
  }));
  return std::move(*result);
}

Result<std::optional<TransactionResult>> Writer::AttemptTransaction(const Transaction& transaction,
                                                                    std::span<const std::string_view> keys,
                                                                    const std::vector<std::uint32_t>& stripes,
                                                                    Connection& connection, bool locked,
                                                                    Deadline deadline) {
  LockedTransaction around(connection, statements_, deadline);
  if (locked) HOLDFAST_RETURN_IF_ERROR(around.Begin(stripes));
  HOLDFAST_ASSIGN_OR_RETURN(const StoredRows stored, reader_.Read(connection, keys, deadline));
  const auto decide = [&](Version first_version) {
    return DecideTransaction(
        transaction,
        [&](const std::string& key) -> Result<EntryPtr> {
          const auto place = std::lower_bound(keys.begin(), keys.end(), std::string_view(key));
          return Live(stored.entries[static_cast<std::size_t>(place - keys.begin())], stored.at);
        },
        [version = first_version]() mutable { return version++; }, stored.at);
  };
  HOLDFAST_ASSIGN_OR_RETURN(TransactionDecision decision, decide(kProvisionalVersion));
  // What was read is one snapshot: without a change it is an answer.
  if (decision.changes.empty()) return std::optional(std::move(decision.result));

  WriteCall write;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto change = decision.changes.find(keys[i]);
    const bool changed = change != decision.changes.end() && (change->second || Live(stored.entries[i], stored.at));
    if (changed) {
      write.Add(keys[i], stored.entries[i], change->second);
    } else {
      write.AddCheck(keys[i], stored.entries[i]);
    }
  }
  WriteCall::Terms terms{changes_.identity(), true, ChangeCause::kOperation, stored.at};
  std::optional<StatementFailure> failure;
  Result<WriteAnswer> answer = write.Run(connection, statements_, stripes, terms, clock_, deadline, &failure);
  if (!answer.ok()) {
    if (MayRetry(failure, terms.writer.instance, deadline)) return std::optional<TransactionResult>();
    return std::move(answer).error();
  }
  const bool held =
      std::all_of(answer->rows.begin(), answer->rows.end(), [](const WriteAnswer::Row& row) { return row.held; });
  if (!held) return std::optional<TransactionResult>();
  if (locked) HOLDFAST_RETURN_IF_ERROR(around.Commit());

  HOLDFAST_ASSIGN_OR_RETURN(decision, decide(answer->first_version));
  std::vector<EntryChange> changes;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto change = decision.changes.find(keys[i]);
    if (change == decision.changes.end() || (!change->second && !Live(stored.entries[i], stored.at))) continue;
    changes.push_back({keys[i], stored.entries[i], change->second});
  }
  changes_.Publish(changes, ChangeCause::kOperation, *answer, deadline);
  return std::optional(std::move(decision.result));
}

Result<Writer::Swept> Writer::Sweep(Deadline deadline) {
  struct Expired {
    std::string key;
    EntryPtr seen;
  };
  std::vector<Expired> expired;
  WriteCall::Terms terms{{}, false, ChangeCause::kExpired, std::nullopt};
  {
    HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
    ServerClock now(clock_);
    const Answered found = connection->Run(statements_.expired, deadline, now.Parameter(), kRowsPerSweep);
    if (!found.ok()) return found.failure->error;
    for (const pqxx::row& row : found.rows) {
      auto seen = std::make_shared<Entry>();
      HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t at, NumberOf(row[0]));
      HOLDFAST_ASSIGN_OR_RETURN(std::string key, BytesOf(row[1]));
      HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t version, NumberOf(row[2]));
      HOLDFAST_ASSIGN_OR_RETURN(const std::int64_t expires_at, NumberOf(row[3]));
      terms.read_at = TimeOf(at);
      seen->version = static_cast<Version>(version);
      seen->expires_at = TimeOf(expires_at);
      expired.push_back({std::move(key), std::move(seen)});
    }
  }
  if (expired.empty()) return Swept{};
  std::sort(expired.begin(), expired.end(), [](const Expired& a, const Expired& b) { return a.key < b.key; });
  std::vector<std::uint32_t> stripes;
  WriteCall write;
  for (const Expired& entry : expired) {
    stripes.push_back(StripeOf(entry.key));
    write.Add(entry.key, entry.seen, nullptr);
  }
  SortOnce(stripes);

  // The keys before the connection, as everywhere: who has the keys may be waiting for the last connection.
  const KeyLocks::Held held = locks_.LockStripes(stripes);
  HOLDFAST_ASSIGN_OR_RETURN(const ConnectionPool::Lease connection, pool_.Acquire(deadline));
  LockedTransaction transaction(*connection, statements_, deadline);
  HOLDFAST_RETURN_IF_ERROR(transaction.Begin({}));
  const Answered turn = connection->Run(statements_.sweeper_lock, deadline);
  if (!turn.ok()) return turn.failure->error;
  if (turn.rows[0][0].c_str()[0] != 't') return Swept{};
  terms.writer = changes_.identity();
  std::optional<StatementFailure> failure;
  Result<WriteAnswer> answer = write.Run(*connection, statements_, stripes, terms, clock_, deadline, &failure);
  if (!answer.ok()) {
    if (MayRetry(failure, terms.writer.instance, deadline)) return Swept{0, true};
    return std::move(answer).error();
  }
  HOLDFAST_RETURN_IF_ERROR(transaction.Commit());
  std::vector<EntryChange> changes;
  for (std::size_t i = 0; i < expired.size(); ++i) {
    if (answer->rows[i].held) changes.push_back({expired[i].key, std::move(answer->rows[i].before), nullptr});
  }
  changes_.Publish(changes, ChangeCause::kExpired, *answer, deadline);
  return Swept{changes.size(), static_cast<std::int64_t>(expired.size()) == kRowsPerSweep};
}

}  // namespace holdfast::storage::postgres
