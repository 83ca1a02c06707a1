#include "service/api/once.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/api/exchange.h"
#include "service/api/fence.h"
#include "service/api/route_table.h"
#include "service/api/submit.h"
#include "service/storage/decision.h"
#include "service/tenancy/sha256.h"

namespace holdfast::api {
namespace {

using idempotency::Answer;
using idempotency::Refusal;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

// The draft leaves it open; Stripe's.
constexpr std::size_t kMaxKeyBytes = 255;
constexpr int kIncrementAttempts = 100;
// To write an answer down when the request itself has used up its time.
constexpr std::chrono::seconds kKeepTimeout{10};

void Append(std::string_view part, std::string* text) {
  text->append(std::to_string(part.size())).append(":").append(part);
}

void Append(const std::optional<std::string_view>& part, std::string* text) {
  if (part) return Append(*part, text);
  text->append("-");
}

idempotency::Request Identify(const Exchange& exchange, const Request& request) {
  const RequestHeaders& headers = exchange.headers();
  std::string identity;
  for (const std::string_view part : {*headers.idempotency_key, request.method_name, request.path}) {
    Append(part, &identity);
  }
  Append(std::string_view(exchange.caller().name), &identity);
  std::string asked;
  Append(request.query, &asked);
  Append(std::string_view(request.body), &asked);
  for (const auto& header : {headers.if_match, headers.if_none_match, headers.ttl, headers.metadata, headers.tags,
                             headers.content_type, headers.fence}) {
    Append(header, &asked);
  }
  std::string row(1, static_cast<char>(storage::Room::kReplays));
  row.append("request/").append(tenancy::ToHex(tenancy::Sha256(identity)));
  return {std::move(row), tenancy::ToHex(tenancy::Sha256(asked))};
}

void Replay(Exchange& exchange, Answer answer) {
  Response response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  response.headers = std::move(answer.headers);
  response.headers.emplace_back("Holdfast-Replayed", "true");
  response.body = std::move(answer.body);
  exchange.Send(std::move(response));
}

void Refuse(Exchange& exchange, Refusal refusal) {
  switch (refusal) {
    case Refusal::kOtherRequest: {
      Problem problem = Problem::Of("invalid_argument",
                                    "this Idempotency-Key was used for another request to the same path; a new request "
                                    "needs a new key");
      problem.status = 422;
      return exchange.Fail(problem);
    }
    case Refusal::kRunning: {
      Problem problem = Problem::Of(
          "conflict", "the first request with this Idempotency-Key is still running; ask again for its answer");
      problem.retry_after_seconds = 1;
      return exchange.Fail(problem);
    }
    case Refusal::kUnknown:
      return exchange.Fail("outcome_unknown",
                           "the first request with this Idempotency-Key was begun, and how it ended was not seen; read "
                           "before you send it again with a new key");
    case Refusal::kAnswerNotKept:
      return exchange.Fail("outcome_unknown",
                           "the first request with this Idempotency-Key was done; its answer was longer than "
                           "idempotency.answer and was not kept. Read what it did, and do not send it again");
  }
}

void Answered(Exchange& exchange, std::variant<Answer, Refusal> verdict) {
  // What the first one changed is in the audit log already.
  if (exchange.audit() != nullptr) exchange.audit()->KeysOnly();
  if (auto* answer = std::get_if<Answer>(&verdict)) return Replay(exchange, std::move(*answer));
  Refuse(exchange, std::get<Refusal>(verdict));
}

bool IsIncrement(const Exchange& exchange) {
  const std::string* const action = exchange.query().Find("action");
  return exchange.endpoint().body == BodyKind::kIncrement && action != nullptr && *action == "increment";
}

Status CheckKey(const RequestHeaders& headers) {
  const std::string_view key = *headers.idempotency_key;
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("Idempotency-Key has {} bytes; it has at least 1 and at most {}", key.size(), kMaxKeyBytes));
  }
  if (headers.transaction) {
    return Error(ErrorCode::kInvalidArgument,
                 "Idempotency-Key has no meaning inside a transaction; its commit may be sent again without one");
  }
  return {};
}

// After that nobody runs the request any more. Who waits for a lock does so beyond the usual deadline.
std::chrono::microseconds LongestRun(const Exchange& exchange) {
  const ApiOptions& options = exchange.context().options;
  if (exchange.endpoint().body == BodyKind::kLease && !exchange.headers().timeout) {
    return options.maximum_timeout + options.default_timeout;
  }
  return std::chrono::ceil<std::chrono::microseconds>(exchange.deadline().Remaining());
}

void Start(std::unique_ptr<Exchange> exchange, void (*handle)(std::unique_ptr<Exchange> exchange)) {
  if (exchange->deadline().Expired()) {
    return exchange->Fail("deadline_exceeded", "the deadline passed in the store's queue; nothing was attempted");
  }
  const OnceOptions& options = exchange->context().options.once;
  auto once = std::make_unique<Once>(exchange->shared_tenant(), *exchange->store().executor,
                                     Identify(*exchange, exchange->request()), options);
  if (!IsIncrement(*exchange)) {
    const Timestamp now = exchange->context().options.clock->Now();
    const Timestamp until = now + LongestRun(*exchange) + kKeepTimeout;
    auto standing =
        idempotency::Claim(*exchange->tenant().rooms, once->request(), now, until, options.ttl, exchange->deadline());
    if (!standing.ok()) return exchange->Fail(standing.error());
    if (auto* answer = std::get_if<Answer>(&*standing)) return Answered(*exchange, std::move(*answer));
    if (const auto* refusal = std::get_if<Refusal>(&*standing)) return Answered(*exchange, *refusal);
    once->SetClaim(std::get<idempotency::Claimed>(*standing).version);
  }
  exchange->SetOnce(std::move(once));
  handle(std::move(exchange));
}

Answer AnswerOf(const Response& response) {
  Answer answer{response.status, response.content_type, response.headers,
                response.entry ? response.entry->value : response.body};
  // Of this request and not of the next.
  std::erase_if(answer.headers, [](const auto& header) { return header.first == "traceparent"; });
  return answer;
}

std::string DoneRow(const Once& once, const Response& response) {
  idempotency::ReplayRow row;
  row.state = idempotency::ReplayRow::State::kDone;
  row.fingerprint = once.request().fingerprint;
  row.answer = AnswerOf(response);
  return row.Encode();
}

// One try; nullopt when the key or the row changed meanwhile.
Result<std::optional<OperationResult>> TryIncrement(Exchange& exchange, const Operation& operation,
                                                    const std::optional<Fence>& fence, RespondOne respond) {
  Once& once = *exchange.once();
  const Deadline deadline = exchange.deadline();
  const OperationResult read = storage::ExecuteOne(exchange.keys(), Operation::Get(operation.key), deadline);
  if (!read.status.ok() && read.status.error().code() != ErrorCode::kNotFound) return read.status.error();
  OperationResult decided;
  storage::Decide(operation, read.entry, 0, exchange.context().options.clock->Now(), decided);
  if (!decided.status.ok()) return std::optional(std::move(decided));

  storage::Transaction transaction;
  transaction.conditions = {
      {operation.key, read.entry ? Precondition::VersionIs(read.entry->version) : Precondition::Absent()}};
  transaction.then = {operation};
  exchange.tenant().key_space.Wrap(transaction);
  const std::string row = exchange.tenant().space.Wrap(once.request().row);
  transaction.conditions.push_back({row, Precondition::Absent()});
  transaction.then.push_back(Operation::Put(row, DoneRow(once, respond(exchange, decided)), Precondition::None(),
                                            storage::Expiry::After(once.options().ttl)));
  if (fence) transaction.then.insert(transaction.then.begin(), FenceCheck(exchange, *fence));
  HOLDFAST_ASSIGN_OR_RETURN(storage::TransactionResult result,
                            exchange.store().backend->Transact(transaction, deadline));
  if (!result.conditions_held) return std::optional<OperationResult>();
  for (OperationResult& one : result.results) {
    const bool is_cause = !one.status.ok() && one.status.error().code() != ErrorCode::kCancelled &&
                          one.status.error().code() != ErrorCode::kNotFound;
    if (!result.applied && is_cause) return std::optional(std::move(one));
  }
  once.SetClaim(result.results.back().version);
  return std::optional(std::move(result.results[result.results.size() - 2]));
}

void RunIncrement(Exchange& exchange, const Operation& operation, RespondOne respond) {
  std::optional<Fence> fence;
  if (const auto& header = exchange.headers().fence) {
    auto parsed = ParseFence(*header, exchange.limits().max_key_bytes);
    if (!parsed.ok()) return exchange.Fail(parsed.error());
    fence = std::move(parsed).value();
  }
  for (int attempt = 0; attempt < kIncrementAttempts; ++attempt) {
    const OperationResult row = storage::ExecuteOne(
        *exchange.tenant().rooms, Operation::Get(exchange.once()->request().row), exchange.deadline());
    if (row.status.ok()) {
      auto verdict =
          idempotency::Judge(exchange.once()->request(), *row.entry, exchange.context().options.clock->Now());
      if (!verdict.ok()) return exchange.Fail(verdict.error());
      return Answered(exchange, std::move(verdict).value());
    }
    if (row.status.error().code() != ErrorCode::kNotFound) return exchange.Fail(row.status.error());
    auto result = TryIncrement(exchange, operation, fence, respond);
    // The backend gave up after its own retries.
    if (!result.ok() && result.error().code() == ErrorCode::kVersionConflict) continue;
    if (!result.ok()) return exchange.Fail(result.error());
    if (!result->has_value()) continue;
    OperationResult& done = **result;
    if (exchange.audit() != nullptr) {
      if (auto change = NoteChange(operation)) exchange.audit()->Add(std::move(*change), done);
    }
    if (!done.status.ok()) return exchange.Fail(OperationProblem(done));
    return exchange.Send(respond(exchange, done));
  }
  exchange.Fail("conflict", "others changed the key again and again; nothing was done, try again");
}

}  // namespace

void Once::Finish(Response response, const ProblemKind* failed, Responder responder) {
  const bool unknown =
      response.stream != nullptr || response.status == 500 || (failed != nullptr && failed->code == "outcome_unknown");
  if (claim_ == 0 || unknown) return responder.Send(std::move(response));
  struct Pending {
    std::shared_ptr<const storage::TenantView> tenant;
    idempotency::Request request;
    OnceOptions options;
    storage::Version claim;
    Response response;
    Responder responder;
  };
  const auto pending = std::make_shared<Pending>(
      Pending{tenant_, request_, options_, claim_, std::move(response), std::move(responder)});
  const auto finish = [pending] {
    const Deadline deadline = Deadline::After(kKeepTimeout);
    storage::Backend& rooms = *pending->tenant->rooms;
    const bool done = pending->response.status < 300;
    const std::size_t most = std::min(pending->options.max_answer_bytes, rooms.limits().max_value_bytes);
    const Status kept = done ? idempotency::Keep(rooms, pending->request, pending->claim, AnswerOf(pending->response),
                                                 most, pending->options.ttl, deadline)
                             : idempotency::Release(rooms, pending->request, pending->claim, deadline);
    // The request itself is done; its repeats are told that the outcome is unknown.
    if (!kept.ok()) log::Warn("the answer to an Idempotency-Key was not kept", {{"error", kept.error().ToString()}});
    pending->responder.Send(std::move(pending->response));
  };
  // A full pool makes it slow, not wrong.
  if (!executor_.Run(finish)) finish();
}

void ServeOnce(std::unique_ptr<Exchange> exchange, void (*handle)(std::unique_ptr<Exchange> exchange)) {
  const Status valid = CheckKey(exchange->headers());
  if (!valid.ok()) return exchange->Fail(valid.error());
  execution::Executor& executor = *exchange->store().executor;
  Exchange* const raw = exchange.release();
  const bool queued = executor.Run([raw, handle] { Start(ExchangePtr(raw), handle); });
  if (!queued) ExchangePtr(raw)->FailBusy();
}

void IncrementOnce(std::unique_ptr<Exchange> exchange, Operation operation, RespondOne respond) {
  const Status valid = storage::Validate(operation, exchange->limits());
  if (!valid.ok()) return exchange->Fail(LimitProblem(valid.error(), exchange->limits()));
  if (!exchange->store().backend->capabilities().transactions) {
    return exchange->Fail("not_supported",
                          "this store has no transactions, which an increment with an Idempotency-Key needs");
  }
  exchange->tally().Count(Call::kTransact);
  // ServeOnce has brought it to the pool.
  RunIncrement(*exchange, operation, respond);
}

}  // namespace holdfast::api
