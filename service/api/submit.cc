#include "service/api/submit.h"

#include "service/api/fence.h"
#include "service/execution/executor.h"
#include "service/hot_keys/hot_keys.h"

namespace holdfast::api {

Problem OperationProblem(const storage::OperationResult& result) {
  Problem problem = Problem::Of(result.status.error());
  if (problem.kind->status == 412) problem.current_version = result.version;
  return problem;
}

Problem TransactionProblem(const Error& error) {
  if (error.code() == ErrorCode::kVersionConflict) return Problem::Of("conflict", error.message());
  return Problem::Of(error);
}

Problem LimitProblem(const Error& error, const storage::Limits& limits) {
  if (error.code() != ErrorCode::kResourceExhausted) return Problem::Of(error);
  Problem problem = Problem::Of("too_large", error.message());
  problem.limit = limits.max_value_bytes;
  return problem;
}

void RecordAccess(const Exchange& exchange, const storage::Operation& operation) {
  using Access = hot_keys::HotKeys::Access;
  exchange.store().hot_keys->Record(operation.key, storage::IsWrite(operation.kind) ? Access::kWrite : Access::kRead);
}

namespace {

// The same as below, and the change is noted before the value has gone.
void SubmitAudited(ExchangePtr exchange, storage::Operation&& operation, AnswerOne answer) {
  auto change = NoteChange(operation);
  exchange->tenant().key_space.Wrap(operation);
  RecordAccess(*exchange, operation);
  const Deadline deadline = exchange->deadline();
  execution::Executor& executor = *exchange->store().executor;
  Exchange* const raw = exchange.release();
  executor.SubmitOne(std::move(operation), deadline,
                     [raw, answer, change = std::move(change)](storage::OperationResult&& result) mutable {
                       const ExchangePtr owner(raw);
                       if (change) owner->audit()->Add(std::move(*change), result);
                       answer(*owner, result);
                     });
}

// On the pool: a transaction over two rooms may wait.
void SubmitFenced(ExchangePtr exchange, storage::Operation operation, AnswerOne answer) {
  auto fence = ReadFence(*exchange);
  if (!fence.ok()) return exchange->Fail(fence.error());
  RunOnPool(std::move(exchange),
            [operation = std::move(operation), fence = std::move(**fence), answer](Exchange& running) {
              auto change = running.audit() != nullptr ? NoteChange(operation) : std::nullopt;
              auto result = ExecuteFenced(running, fence, operation);
              if (change) running.audit()->Add(std::move(*change), result);
              answer(running, result);
            });
}

// Nothing changes before the commit, so nothing is noted for the audit log.
void SubmitInTransaction(ExchangePtr exchange, storage::Operation operation, AnswerOne answer) {
  const auto given = ReadFence(*exchange);
  if (!given.ok()) return exchange->Fail(given.error());
  std::optional<transactions::Fence> fence;
  if (*given) fence = {(*given)->key, (*given)->precondition.token};
  if (exchange->audit() != nullptr) exchange->audit()->KeysOnly();
  RunOnPool(std::move(exchange),
            [operation = std::move(operation), fence = std::move(fence), answer](Exchange& running) {
              storage::OperationResult result = running.context().transactions->Execute(
                  running.tenant(), *running.headers().transaction, operation, fence, running.deadline());
              // The transaction's own limit; a backend without room says so at the commit.
              if (!result.status.ok() && result.status.error().code() == ErrorCode::kResourceExhausted) {
                Problem problem = Problem::Of("too_large", result.status.error().message());
                problem.limit = running.context().options.transactions.session.max_bytes;
                return running.Fail(problem);
              }
              answer(running, result);
            });
}

}  // namespace

void SubmitOne(ExchangePtr exchange, storage::Operation&& operation, AnswerOne answer) {
  const Status valid = storage::Validate(operation, exchange->limits());
  if (!valid.ok()) return exchange->Fail(LimitProblem(valid.error(), exchange->limits()));
  exchange->tally().Count(CallOf(operation.kind));
  if (exchange->headers().transaction) return SubmitInTransaction(std::move(exchange), std::move(operation), answer);
  if (exchange->headers().fence) return SubmitFenced(std::move(exchange), std::move(operation), answer);
  if (exchange->audit() != nullptr) return SubmitAudited(std::move(exchange), std::move(operation), answer);
  exchange->tenant().key_space.Wrap(operation);
  RecordAccess(*exchange, operation);
  const Deadline deadline = exchange->deadline();
  execution::Executor& executor = *exchange->store().executor;
  // A bare pointer fits into the std::function without an allocation; the executor calls it exactly once.
  Exchange* const raw = exchange.release();
  executor.SubmitOne(std::move(operation), deadline, [raw, answer](storage::OperationResult&& result) {
    const ExchangePtr owner(raw);
    answer(*owner, result);
  });
}

void RunOnPool(ExchangePtr exchange, std::function<void(Exchange& exchange)> work) {
  execution::Executor& executor = *exchange->store().executor;
  const std::shared_ptr<Exchange> shared = std::move(exchange);
  const bool queued = executor.Run([shared, work = std::move(work)] {
    if (shared->deadline().Expired()) {
      return shared->Fail("deadline_exceeded", "the deadline passed in the store's queue; nothing was attempted");
    }
    work(*shared);
  });
  if (!queued) shared->FailBusy();
}

}  // namespace holdfast::api
