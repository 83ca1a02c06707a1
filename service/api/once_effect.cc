#include "service/api/once_effect.h"

#include <thread>

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

// How long, and at what intervals, the outcome of an attempt whose answer was lost is looked for. A thread of the
// store's pool waits meanwhile.
constexpr std::chrono::seconds kSearch{5};
constexpr std::chrono::milliseconds kSearchPause{50};

// An attempt whose answer was lost has taken effect, or may yet, or never will. Its row tells when it has; else the
// request is tried once more, which is safe: of two attempts only one can write the row. Nothing else settles it: what
// keeps a later attempt from succeeding may be the effect of the lost one.
class LostAttempt {
 public:
  explicit LostAttempt(Deadline deadline) : deadline_(deadline) {}
  bool any() const { return error_.has_value(); }
  // An attempt ended with this. True: to be looked for, or tried again, which is waited for here.
  bool GoesOn(const Error& error) {
    if (!error_ && error.code() == ErrorCode::kOutcomeUnknown) {
      error_ = error;
      until_ = Deadline::After(kSearch).Sooner(deadline_);
    }
    if (!error_ || until_.Expired()) return false;
    std::this_thread::sleep_for(kSearchPause);
    return true;
  }
  // What is to be said when this is how it ends.
  const Error& Or(const Error& error) const { return error_ ? *error_ : error; }

 private:
  const Deadline deadline_;
  std::optional<Error> error_;
  Deadline until_ = Deadline::Infinite();
};

using Verdict = std::variant<idempotency::Answer, idempotency::Refusal>;

// What the row says, if it stands there.
Result<std::optional<Verdict>> FindRow(Exchange& exchange) {
  const idempotency::Request& request = exchange.once()->request();
  const OperationResult row =
      storage::ExecuteOne(*exchange.tenant().rooms, Operation::Get(request.row), exchange.deadline());
  if (IsCode(row.status, ErrorCode::kNotFound)) return std::optional<Verdict>();
  if (!row.status.ok()) return row.status.error();
  HOLDFAST_ASSIGN_OR_RETURN(auto verdict,
                            idempotency::Judge(request, *row.entry, exchange.context().options.clock->Now()));
  return std::optional(std::move(verdict));
}

// What has, or may have, taken effect without having told its versions.
void NoteWithoutResult(Exchange& exchange, const Operation& operation) {
  if (exchange.audit() == nullptr) return;
  OperationResult unknown;
  unknown.status = Error(ErrorCode::kOutcomeUnknown, "its answer was lost");
  if (auto change = NoteChange(operation)) exchange.audit()->Add(std::move(*change), unknown);
}

// The same for the branch of a transaction that has left this.
void NoteBranch(Exchange& exchange, const storage::Transaction& transaction, const Verdict& verdict, Outline outline) {
  const auto* const answer = std::get_if<idempotency::Answer>(&verdict);
  if (exchange.audit() == nullptr || answer == nullptr) return;
  const bool then = exchange.once()->DoneRow(outline(exchange, true)).answer.body == answer->body;
  for (const Operation& operation : then ? transaction.then : transaction.otherwise) {
    NoteWithoutResult(exchange, operation);
  }
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
  LostAttempt lost(exchange.deadline());
  const auto fail = [&](const Error& error) {
    if (lost.any()) NoteWithoutResult(exchange, operation);
    exchange.Fail(lost.Or(error));
  };
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto row = FindRow(exchange);
    if (row.ok() && row->has_value()) {
      if (!lost.any()) return AnswerRepeat(exchange, std::move(**row));
      exchange.tally().Count(CallOf(operation.kind));
      NoteWithoutResult(exchange, operation);
      return AnswerFound(exchange, std::move(**row));
    }
    using Tried = Result<std::optional<OperationResult>>;
    auto result = row.ok() ? TryOne(exchange, *fence, operation, respond) : Tried(std::move(row).error());
    // The backend gave up after its own retries, or the row came in between.
    const bool again = !result.ok() && (result.error().code() == ErrorCode::kVersionConflict ||
                                        result.error().code() == ErrorCode::kAlreadyExists);
    if (again) continue;
    if (!result.ok()) {
      if (lost.GoesOn(result.error())) continue;
      return fail(result.error());
    }
    if (!result->has_value()) continue;
    OperationResult& done = **result;
    if (!done.status.ok() && lost.any()) {
      if (lost.GoesOn(done.status.error())) continue;
      return fail(done.status.error());
    }
    exchange.tally().Count(CallOf(operation.kind));
    if (!done.status.ok()) return exchange.Fail(OperationProblem(done));
    exchange.context().once_metrics->first.Increment();
    if (exchange.audit() != nullptr) {
      if (auto change = NoteChange(operation)) exchange.audit()->Add(std::move(*change), done);
    }
    return exchange.Send(respond(exchange, done));
  }
  const std::string contended = "others changed the key again and again; nothing was done, try again";
  if (lost.any()) return fail(Error(ErrorCode::kVersionConflict, contended));
  exchange.Fail("conflict", contended);
}

Result<std::optional<storage::TransactionResult>> TransactOnce(Exchange& exchange,
                                                               const std::optional<storage::Condition>& fence,
                                                               const storage::Transaction& transaction,
                                                               Outline outline) {
  const Guards guards{GuardsOf(exchange, fence, outline(exchange, true)),
                      GuardsOf(exchange, fence, outline(exchange, false))};
  LostAttempt lost(exchange.deadline());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto row = FindRow(exchange);
    if (row.ok() && row->has_value()) {
      if (lost.any()) {
        exchange.tally().Count(Call::kTransact);
        NoteBranch(exchange, transaction, **row, outline);
        AnswerFound(exchange, std::move(**row));
      } else {
        AnswerRepeat(exchange, std::move(**row));
      }
      return std::optional<storage::TransactionResult>();
    }
    auto guarded =
        row.ok() ? TransactGuarded(exchange, guards, transaction) : Result<GuardedResult>(std::move(row).error());
    if (!guarded.ok() && guarded.error().code() == ErrorCode::kAlreadyExists) continue;
    if (!guarded.ok()) {
      if (lost.GoesOn(guarded.error())) continue;
      return lost.Or(guarded.error());
    }
    if (guarded->result.applied) {
      exchange.context().once_metrics->first.Increment();
      exchange.once()->SetRecorded(guarded->guards.back().version);
    } else if (lost.any()) {
      const Error refused(ErrorCode::kFailedPrecondition, "the transaction was not applied");
      if (lost.GoesOn(refused)) continue;
      return lost.Or(refused);
    }
    return std::optional(std::move(guarded->result));
  }
  return lost.Or(
      Error(ErrorCode::kVersionConflict, "repeats of the request came and went; nothing was done, try again"));
}

}  // namespace holdfast::api
