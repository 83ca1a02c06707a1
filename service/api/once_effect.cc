#include "service/api/once_effect.h"

#include "service/api/guarded_transaction.h"
#include "service/api/submit.h"
#include "service/storage/decision.h"

namespace holdfast::api {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

// Against others that change the same key.
constexpr int kAttempts = 100;

bool IsCode(const Status& status, ErrorCode code) {
  return !status.ok() && status.error().code() == code;
}

// True: the request was sent before, and has been answered.
Result<bool> AnsweredBefore(Exchange& exchange) {
  const idempotency::Request& request = exchange.once()->request();
  const OperationResult row =
      storage::ExecuteOne(*exchange.tenant().rooms, Operation::Get(request.row), exchange.deadline());
  if (IsCode(row.status, ErrorCode::kNotFound)) return false;
  if (!row.status.ok()) return row.status.error();
  HOLDFAST_ASSIGN_OR_RETURN(auto verdict,
                            idempotency::Judge(request, *row.entry, exchange.context().options.clock->Now()));
  AnswerRepeat(exchange, std::move(verdict));
  return true;
}

// The fence, and the row behind it: the last guard.
std::vector<Operation> GuardsOf(const Exchange& exchange, const std::optional<storage::Condition>& fence,
                                const Response& answer) {
  const Once& once = *exchange.once();
  std::vector<Operation> guards;
  if (fence) guards.push_back(FenceCheck(*fence));
  guards.push_back(idempotency::Record(once.request(), once.DoneRow(answer), once.options().ttl));
  return guards;
}

// One try; nullopt when the key was changed meanwhile. kAlreadyExists: somebody else has run the request.
Result<std::optional<OperationResult>> TryOne(Exchange& exchange, const std::optional<storage::Condition>& fence,
                                              Operation operation, RespondOne respond) {
  OperationResult read = storage::ExecuteOne(exchange.keys(), Operation::Get(operation.key), exchange.deadline());
  if (!read.status.ok() && !IsCode(read.status, ErrorCode::kNotFound)) return read.status.error();
  OperationResult decided;
  storage::Decide(operation, read.entry, 0, exchange.context().options.clock->Now(), decided);
  if (!decided.status.ok()) return std::optional(std::move(decided));
  // The instant that the answer names.
  if (operation.expiry.kind == Expiry::Kind::kAfter && decided.expires_at) {
    operation.expiry = Expiry::At(*decided.expires_at);
  }
  storage::Transaction transaction;
  transaction.conditions = {
      {operation.key, read.entry ? Precondition::VersionIs(read.entry->version) : Precondition::Absent()}};
  transaction.then = {std::move(operation)};
  Guards guards{GuardsOf(exchange, fence, respond(exchange, decided)), {}};
  HOLDFAST_ASSIGN_OR_RETURN(GuardedResult guarded,
                            TransactGuarded(exchange, std::move(guards), std::move(transaction)));
  if (!guarded.result.conditions_held) return std::optional<OperationResult>();
  // Its answer was complete before when it gets no version of its own.
  if (guarded.result.applied && decided.version == 0) exchange.once()->SetRecorded(guarded.guards.back().version);
  return std::optional(std::move(guarded.result.results.front()));
}

}  // namespace

void RunOnce(Exchange& exchange, const Operation& operation, RespondOne respond) {
  const Status valid = storage::Validate(operation, exchange.limits());
  if (!valid.ok()) return exchange.Fail(LimitProblem(valid.error(), exchange.limits()));
  const auto fence = ReadFence(exchange);
  if (!fence.ok()) return exchange.Fail(fence.error());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto answered = AnsweredBefore(exchange);
    if (!answered.ok()) return exchange.Fail(answered.error());
    if (*answered) return;
    auto result = TryOne(exchange, *fence, operation, respond);
    // The backend gave up after its own retries, or the row came in between.
    const bool again = !result.ok() && (result.error().code() == ErrorCode::kVersionConflict ||
                                        result.error().code() == ErrorCode::kAlreadyExists);
    if (again) continue;
    if (!result.ok()) return exchange.Fail(result.error());
    if (!result->has_value()) continue;
    OperationResult& done = **result;
    exchange.tally().Count(CallOf(operation.kind));
    if (!done.status.ok()) return exchange.Fail(OperationProblem(done));
    exchange.context().once_metrics->first.Increment();
    if (exchange.audit() != nullptr) {
      if (auto change = NoteChange(operation)) exchange.audit()->Add(std::move(*change), done);
    }
    return exchange.Send(respond(exchange, done));
  }
  exchange.Fail("conflict", "others changed the key again and again; nothing was done, try again");
}

Result<std::optional<storage::TransactionResult>> TransactOnce(Exchange& exchange,
                                                               const std::optional<storage::Condition>& fence,
                                                               const storage::Transaction& transaction,
                                                               Outline outline) {
  const Guards guards{GuardsOf(exchange, fence, outline(exchange, true)),
                      GuardsOf(exchange, fence, outline(exchange, false))};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool answered, AnsweredBefore(exchange));
    if (answered) return std::optional<storage::TransactionResult>();
    auto guarded = TransactGuarded(exchange, guards, transaction);
    if (!guarded.ok() && guarded.error().code() == ErrorCode::kAlreadyExists) continue;
    if (!guarded.ok()) return std::move(guarded).error();
    if (guarded->result.applied) {
      exchange.context().once_metrics->first.Increment();
      exchange.once()->SetRecorded(guarded->guards.back().version);
    }
    return std::optional(std::move(guarded->result));
  }
  return Error(ErrorCode::kVersionConflict, "repeats of the request came and went; nothing was done, try again");
}

}  // namespace holdfast::api
