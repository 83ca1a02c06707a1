#include "service/api/once.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log/log.h"
#include "service/api/exchange.h"
#include "service/api/handlers.h"
#include "service/api/route_table.h"
#include "service/tenancy/sha256.h"

namespace holdfast::api {
namespace {

using idempotency::Answer;
using idempotency::Refusal;

// The draft leaves it open; Stripe's.
constexpr std::size_t kMaxKeyBytes = 255;
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

Response ResponseOf(Answer answer) {
  Response response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  // The ETag is among them.
  response.headers = std::move(answer.headers);
  response.body = std::move(answer.body);
  return response;
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

// Who writes the row.
enum class Recording { kByClaim, kWithEffect, kByHandler };

Recording RecordingOf(const Exchange& exchange) {
  const auto handle = exchange.endpoint().handle;
  const std::string* const action = exchange.query().Find("action");
  // A commit is remembered in any case, and may be sent again.
  if (handle == PostInteractive && action != nullptr && *action == "commit") return Recording::kByHandler;
  const bool one_step = handle == PostKey || handle == PostTransaction;
  if (!one_step) return Recording::kByClaim;
  const storage::Capabilities capabilities = exchange.store().backend->capabilities();
  // The row and the keys of the request change together.
  return capabilities.transactions && capabilities.transactions_span_keys ? Recording::kWithEffect
                                                                          : Recording::kByClaim;
}

// False: it was answered.
bool ClaimFor(Exchange& exchange, Once& once) {
  const Timestamp now = exchange.context().options.clock->Now();
  const Timestamp until = now + LongestRun(exchange) + kKeepTimeout;
  auto standing =
      idempotency::Claim(*exchange.tenant().rooms, once.request(), now, until, once.options().ttl, exchange.deadline());
  if (!standing.ok()) {
    exchange.Fail(standing.error());
  } else if (auto* answer = std::get_if<Answer>(&*standing)) {
    AnswerRepeat(exchange, std::move(*answer));
  } else if (const auto* refusal = std::get_if<Refusal>(&*standing)) {
    AnswerRepeat(exchange, *refusal);
  } else {
    once.SetClaim(std::get<idempotency::Claimed>(*standing).version);
    exchange.context().once_metrics->first.Increment();
    return true;
  }
  return false;
}

void Start(ExchangePtr exchange, void (*handle)(ExchangePtr exchange), bool with_effect) {
  if (exchange->deadline().Expired()) {
    return exchange->Fail("deadline_exceeded", "the deadline passed in the store's queue; nothing was attempted");
  }
  auto once = std::make_unique<Once>(*exchange, Identify(*exchange, exchange->request()), with_effect);
  if (!with_effect && !ClaimFor(*exchange, *once)) return;
  exchange->SetOnce(std::move(once));
  handle(std::move(exchange));
}

Answer AnswerOf(const Response& response) {
  Answer answer{response.status, std::string(ContentTypeOf(response)), response.headers,
                response.entry ? response.entry->value : response.body};
  if (response.etag != 0) answer.headers.emplace_back("ETag", ETagOf(response.etag));
  // Of this request and not of the next.
  std::erase_if(answer.headers, [](const auto& header) { return header.first == "traceparent"; });
  return answer;
}

metrics::Counter& CounterOf(metrics::Registry& registry, const std::string& result) {
  return registry.GetCounter("holdfast_idempotency_requests_total", "Requests with an Idempotency-Key, by what came.",
                             {{"result", result}});
}

}  // namespace

OnceMetrics::OnceMetrics(metrics::Registry& registry)
    : first(CounterOf(registry, "first")),
      replayed(CounterOf(registry, "replayed")),
      refused(CounterOf(registry, "refused")) {}

Once::Once(const Exchange& exchange, idempotency::Request request, bool with_effect)
    : tenant_(exchange.shared_tenant()),
      executor_(*exchange.store().executor),
      request_(std::move(request)),
      options_(exchange.context().options.once),
      with_effect_(with_effect) {}

idempotency::ReplayRow Once::DoneRow(const Response& response) const {
  return idempotency::Done(request_, AnswerOf(response),
                           std::min(options_.max_answer_bytes, tenant_->rooms->limits().max_value_bytes));
}

void Once::SetClaim(storage::Version version) {
  row_ = version;
}

void Once::SetRecorded(storage::Version version) {
  row_ = version;
  recorded_ = true;
}

void Once::Finish(Response response, const ProblemKind* failed, Responder responder) {
  const bool unknown =
      response.stream != nullptr || response.status == 500 || (failed != nullptr && failed->code == "outcome_unknown");
  if (row_ == 0 || unknown) return responder.Send(std::move(response));
  struct Pending {
    std::shared_ptr<const storage::TenantView> tenant;
    idempotency::Request request;
    std::chrono::microseconds ttl;
    storage::Version version;
    bool done;
    idempotency::ReplayRow row;
    Response response;
    Responder responder;
  };
  const bool done = response.status < 300;
  idempotency::ReplayRow row = done ? DoneRow(response) : idempotency::ReplayRow();
  if (recorded_ && row.state == idempotency::ReplayRow::State::kDropped) return responder.Send(std::move(response));
  const auto pending = std::make_shared<Pending>(
      Pending{tenant_, request_, options_.ttl, row_, done, std::move(row), std::move(response), std::move(responder)});
  const auto finish = [pending] {
    const Deadline deadline = Deadline::After(kKeepTimeout);
    storage::Backend& rooms = *pending->tenant->rooms;
    const Status kept = pending->done ? idempotency::Keep(rooms, pending->request, pending->version, pending->row,
                                                          pending->ttl, deadline)
                                      : idempotency::Release(rooms, pending->request, pending->version, deadline);
    // The request itself has run; its repeats are told what the row says as it stands.
    if (!kept.ok()) log::Warn("the answer to an Idempotency-Key was not kept", {{"error", kept.error().ToString()}});
    pending->responder.Send(std::move(pending->response));
  };
  // A full pool makes it slow, not wrong.
  if (!executor_.Run(finish)) finish();
}

void ServeOnce(ExchangePtr exchange, void (*handle)(ExchangePtr exchange)) {
  const Status valid = CheckKey(exchange->headers());
  if (!valid.ok()) return exchange->Fail(valid.error());
  const Recording recording = RecordingOf(*exchange);
  if (recording == Recording::kByHandler) return handle(std::move(exchange));
  execution::Executor& executor = *exchange->store().executor;
  const std::shared_ptr<ExchangePtr> held = std::make_shared<ExchangePtr>(std::move(exchange));
  const bool queued = executor.Run([held, handle, with_effect = recording == Recording::kWithEffect] {
    Start(std::move(*held), handle, with_effect);
  });
  if (!queued) (*held)->FailBusy();
}

void AnswerRepeat(Exchange& exchange, std::variant<Answer, Refusal> verdict) {
  // What the first one changed is in the audit log already.
  if (exchange.audit() != nullptr) exchange.audit()->KeysOnly();
  if (auto* answer = std::get_if<Answer>(&verdict)) {
    exchange.context().once_metrics->replayed.Increment();
    Response response = ResponseOf(std::move(*answer));
    response.headers.emplace_back("Holdfast-Replayed", "true");
    return exchange.Send(std::move(response));
  }
  exchange.context().once_metrics->refused.Increment();
  Refuse(exchange, std::get<Refusal>(verdict));
}

void AnswerFound(Exchange& exchange, std::variant<Answer, Refusal> verdict) {
  if (exchange.audit() != nullptr) exchange.audit()->KeysOnly();
  exchange.context().once_metrics->first.Increment();
  if (auto* answer = std::get_if<Answer>(&verdict)) return exchange.Send(ResponseOf(std::move(*answer)));
  Refuse(exchange, std::get<Refusal>(verdict));
}

}  // namespace holdfast::api
