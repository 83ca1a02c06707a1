#include "service/backends/redis/writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "base/redis/reply.h"
#include "service/backends/redis/entry_record.h"
#include "service/backends/redis/script_call.h"
#include "service/storage/decision.h"

namespace holdfast::storage::redis_backend {
namespace {

constexpr const char* kKeysPerSweep = "500";
constexpr std::size_t kFullSweep = 500;
// How often a call is made again because this instance had to join again.
constexpr int kAttempts = 3;

EntryPtr Live(const EntryPtr& stored, Timestamp now) {
  return stored && !IsExpired(*stored, now) ? stored : nullptr;
}

bool Grows(OperationKind kind) {
  return kind == OperationKind::kPut || kind == OperationKind::kIncrement || kind == OperationKind::kTouch;
}

// A script that failed half-way is kInternal; rows that cannot be read are kCorruption, and are there because it ran.
bool MayHaveBeenDone(const Error& error) {
  return error.code() == ErrorCode::kOutcomeUnknown || error.code() == ErrorCode::kInternal ||
         error.code() == ErrorCode::kCorruption;
}

void Fail(OperationResult& result, const Error& error) {
  result = OperationResult{};
  result.status = error;
}

// As the record will hold it: the result must say the same.
bool IsStorable(const Operation& operation) {
  return operation.expiry.kind != Expiry::Kind::kAt || Storable(operation.expiry.at) == operation.expiry.at;
}

Operation WithStorableExpiry(Operation operation) {
  operation.expiry.at = Storable(operation.expiry.at);
  return operation;
}

Error Disagreement() {
  log::Error("the script that writes and the service have decided differently; this is a bug");
  return {ErrorCode::kInternal, "the write was decided differently by server and service: read the key again"};
}

}  // namespace

std::string ClockArgument(const Clock* clock) {
  return clock == nullptr ? std::string() : std::to_string(clock->Now().time_since_epoch().count());
}

Result<WriteAnswer> Writer::Take(const WriteCall& call, bool told_here, Result<redis::Value> reply) {
  Result<WriteAnswer> taken = call.Take(std::move(reply));
  if (!taken.ok()) {
    if (told_here && MayHaveBeenDone(taken.error())) changes_.Doubt("nobody knows what came of a write");
    return taken;
  }
  WriteAnswer answer = std::move(*taken);
  if (answer.outcome == WriteAnswer::Outcome::kDone) {
    value_bytes_.fetch_add(call.value_bytes(), std::memory_order_relaxed);
    packed_bytes_.fetch_add(call.packed_bytes(), std::memory_order_relaxed);
  }
  if (answer.outcome == WriteAnswer::Outcome::kLocksPaused) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("the server has lost its data, and who held a lock may still rely on it: none is granted "
                             "for another {} s; try again then",
                             answer.pause));
  }
  return answer;
}

Result<WriteAnswer> Writer::Call(const WriteCall& call, WriteCall::What what, std::unique_ptr<ChangeStream::Turn>* turn,
                                 Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(changes_.MayWrite());
  for (int attempt = 0;; ++attempt) {
    const std::uint64_t times_joined = changes_.times_joined();
    *turn = changes_.TakeTurn(call.keys());
    if (deadline.Expired()) {
      return Error(ErrorCode::kDeadlineExceeded, "the deadline passed before anything was written");
    }
    redis::Pipeline pipeline;
    HOLDFAST_RETURN_IF_ERROR(call.AddTo(pipeline, what, scripts_, options_, prefix_, ClockArgument(clock_),
                                        changes_.instance(), turn->get()));
    redis::Replies replies = client_.Run(pipeline, deadline);
    HOLDFAST_ASSIGN_OR_RETURN(WriteAnswer answer, Take(call, *turn != nullptr, std::move(replies[0])));
    if (answer.outcome != WriteAnswer::Outcome::kNotJoined) return answer;
    turn->reset();
    if (attempt + 1 == kAttempts) {
      return Error(ErrorCode::kUnavailable, "the server forgets this instance again and again: try again");
    }
    HOLDFAST_RETURN_IF_ERROR(changes_.Rejoin(times_joined, deadline));
  }
}

Error Writer::Untold(const WriteAnswer& answer) {
  if (answer.direct) changes_.Doubt("nobody tells of a write that was done");
  return Disagreement();
}

std::optional<LogPosition> Writer::Tell(const WriteAnswer& answer, std::span<const KeyChange> changes,
                                        ChangeCause cause, std::unique_ptr<ChangeStream::Turn> turn) {
  if (changes.empty()) return std::nullopt;
  const std::shared_ptr<ChangeListener> listener = changes_.listener();
  if (answer.direct) {
    for (const KeyChange& change : changes) {
      changes_.NoteLock(change.key, change.after);
      if (listener) listener->OnChange(change.key, change.before, change.after, cause);
    }
    return std::nullopt;
  }
  turn.reset();  // the keys: whoever tells of the change may need them
  return listener ? std::optional(answer.logged) : std::nullopt;
}

void Writer::Refused(std::span<const Operation> operations, std::span<OperationResult> results,
                     std::span<const std::size_t> places, const Error& error, Deadline deadline) {
  std::vector<std::size_t> rest;
  for (const std::size_t i : places) {
    // A server without memory refuses what grows; the others can be done without it.
    const bool again = error.code() == ErrorCode::kResourceExhausted && !Grows(operations[i].kind);
    if (again) rest.push_back(i);
    if (!again) Fail(results[i], error);
  }
  if (rest.size() == places.size()) {
    for (const std::size_t i : rest) Fail(results[i], error);
  } else if (!rest.empty()) {
    Execute(operations, results, rest, deadline);
  }
}

void Writer::Execute(std::span<const Operation> operations, std::span<OperationResult> results,
                     std::span<const std::size_t> places, Deadline deadline) {
  WriteCall call(options_.compression);
  for (const std::size_t i : places) call.AddOperation(operations[i]);
  std::unique_ptr<ChangeStream::Turn> turn;
  Result<WriteAnswer> answer = Call(call, WriteCall::What::kExecute, &turn, deadline);
  if (!answer.ok()) {
    turn.reset();
    return Refused(operations, results, places, answer.error(), deadline);
  }
  if (answer->outcome == WriteAnswer::Outcome::kTooLarge) {
    turn.reset();
    // Of one key alone no row is too large.
    if (call.keys().size() == 1 || places.size() == 1) {
      for (const std::size_t i : places) Fail(results[i], Disagreement());
      return;
    }
    Execute(operations, results, places.first(places.size() / 2), deadline);
    Execute(operations, results, places.subspan(places.size() / 2), deadline);
    return;
  }
  Await(Conclude(operations, results, places, call, *answer, std::move(turn)), deadline);
}

Status Writer::Begin(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
                     redis::Pipeline& pipeline, Deadline deadline) {
  for (const std::size_t i : step.places) step.call.AddOperation(operations[i]);
  Status begun = changes_.MayWrite();
  if (begun.ok()) step.turn = changes_.TakeTurn(step.call.keys());
  if (begun.ok() && deadline.Expired()) {
    begun = Error(ErrorCode::kDeadlineExceeded, "the deadline passed before anything was written");
  }
  if (begun.ok()) {
    begun = step.call.AddTo(pipeline, WriteCall::What::kExecute, scripts_, options_, prefix_, ClockArgument(clock_),
                            changes_.instance(), step.turn.get());
  }
  if (begun.ok()) return {};
  step.turn.reset();
  for (const std::size_t i : step.places) Fail(results[i], begun.error());
  return begun;
}

void Writer::Settle(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
                    Result<redis::Value> reply) {
  const Result<WriteAnswer> answer = Take(step.call, step.turn != nullptr, std::move(reply));
  if (answer.ok() && answer->outcome == WriteAnswer::Outcome::kDone) {
    step.logged = Conclude(operations, results, step.places, step.call, *answer, std::move(step.turn));
    return;
  }
  step.turn.reset();
  // What one without memory refuses, and what is to be cut or joined anew, Execute knows how to go on with.
  step.again = answer.ok() || answer.error().code() == ErrorCode::kResourceExhausted;
  if (step.again) return;
  for (const std::size_t i : step.places) Fail(results[i], answer.error());
}

void Writer::Complete(std::span<const Operation> operations, std::span<OperationResult> results, Step& step,
                      Deadline deadline) {
  if (step.again) return Execute(operations, results, step.places, deadline);
  Await(step.logged, deadline);
}

std::optional<LogPosition> Writer::Conclude(std::span<const Operation> operations, std::span<OperationResult> results,
                                            std::span<const std::size_t> places, const WriteCall& call,
                                            const WriteAnswer& answer, std::unique_ptr<ChangeStream::Turn> turn) {
  std::vector<EntryPtr> next;
  std::vector<bool> changed(call.keys().size());
  next.reserve(answer.rows.size());
  for (const EntryPtr& row : answer.rows) next.push_back(Live(row, answer.now));
  Version version = answer.first_version;
  std::size_t nth = 0;
  for (const std::size_t i : places) {
    const std::size_t key = call.place(nth++);
    const Version drawn = IsWrite(operations[i].kind) ? version++ : 0;
    const Decision decision = IsStorable(operations[i])
                                  ? Decide(operations[i], next[key], drawn, answer.now, results[i])
                                  : Decide(WithStorableExpiry(operations[i]), next[key], drawn, answer.now, results[i]);
    if (decision.change == Change::kNone) continue;
    next[key] = decision.entry;
    changed[key] = true;
  }
  std::vector<KeyChange> changes;
  for (std::size_t key = 0; key < next.size(); ++key) {
    // A write and its undoing leave nothing.
    if (!changed[key] || (!next[key] && !Live(answer.rows[key], answer.now))) continue;
    changes.push_back({call.keys()[key], answer.rows[key], next[key]});
  }
  if (changes.size() != answer.changes) {
    const Error untold = Untold(answer);
    for (const std::size_t i : places) Fail(results[i], untold);
    return std::nullopt;
  }
  return Tell(answer, changes, ChangeCause::kOperation, std::move(turn));
}

Result<TransactionResult> Writer::Transact(const Transaction& transaction, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(Validate(transaction, options_.limits));
  const auto storable = [](const std::vector<Operation>& branch) {
    return std::all_of(branch.begin(), branch.end(), IsStorable);
  };
  if (storable(transaction.then) && storable(transaction.otherwise)) return TransactStorable(transaction, deadline);
  Transaction copy = transaction;
  for (std::vector<Operation>* branch : {&copy.then, &copy.otherwise}) {
    for (Operation& operation : *branch) operation = WithStorableExpiry(std::move(operation));
  }
  return TransactStorable(copy, deadline);
}

Result<TransactionResult> Writer::TransactStorable(const Transaction& transaction, Deadline deadline) {
  WriteCall call(options_.compression);
  for (const Condition& condition : transaction.conditions) call.AddCondition(condition);
  for (const Operation& operation : transaction.then) call.AddOperation(operation);
  call.EndThen();
  for (const Operation& operation : transaction.otherwise) call.AddOperation(operation);
  std::unique_ptr<ChangeStream::Turn> turn;
  HOLDFAST_ASSIGN_OR_RETURN(const WriteAnswer answer, Call(call, WriteCall::What::kTransact, &turn, deadline));
  if (answer.outcome == WriteAnswer::Outcome::kTooLarge) {
    return Error(ErrorCode::kResourceExhausted,
                 fmt::format("the rows of the transaction hold more than {} bytes: change fewer keys at once",
                             kStoredBytesPerCall));
  }
  HOLDFAST_ASSIGN_OR_RETURN(
      TransactionDecision decision,
      DecideTransaction(
          transaction,
          [&](const std::string& key) -> Result<EntryPtr> { return Live(answer.rows[call.AddKey(key)], answer.now); },
          [version = answer.first_version]() mutable { return version++; }, answer.now));
  std::vector<KeyChange> changes;
  for (const auto& [key, after] : decision.changes) {
    const EntryPtr& before = answer.rows[call.AddKey(key)];
    if (after || Live(before, answer.now)) changes.push_back({key, before, after});
  }
  if (changes.size() != answer.changes) return Untold(answer);
  Await(Tell(answer, changes, ChangeCause::kOperation, std::move(turn)), deadline);
  return std::move(decision.result);
}

Result<Writer::Swept> Writer::Sweep(Deadline deadline) {
  redis::Pipeline pipeline;
  AddScript(pipeline, redis::Effect::kRead, scripts_.expired, options_, prefix_,
            {ClockArgument(clock_), kKeysPerSweep});
  redis::Replies replies = client_.Run(pipeline, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const std::vector<redis::Value> found, redis::AsArray(std::move(replies[0]), "expired"));
  if (found.empty()) return Swept{};
  // The rows go one part after the other when they are large.
  Swept swept{0, found.size() == kFullSweep};
  for (std::size_t begin = 0, part = found.size(); begin < found.size();) {
    WriteCall call(options_.compression);
    for (std::size_t i = begin; i < std::min(begin + part, found.size()); ++i) {
      if (found[i].IsString()) call.AddKey(found[i].text());
    }
    std::unique_ptr<ChangeStream::Turn> turn;
    HOLDFAST_ASSIGN_OR_RETURN(const WriteAnswer answer, Call(call, WriteCall::What::kSweep, &turn, deadline));
    if (answer.outcome == WriteAnswer::Outcome::kTooLarge) {
      part = std::max<std::size_t>(1, part / 2);
      continue;
    }
    std::vector<KeyChange> changes;
    for (std::size_t i = 0; i < call.keys().size(); ++i) {
      const EntryPtr& row = answer.rows[i];
      if (row && !Live(row, answer.now)) changes.push_back({call.keys()[i], row, nullptr});
    }
    if (changes.size() != answer.changes) return Untold(answer);
    swept.removed += changes.size();
    Await(Tell(answer, changes, ChangeCause::kExpired, std::move(turn)), deadline);
    begin += part;
  }
  return swept;
}

}  // namespace holdfast::storage::redis_backend
