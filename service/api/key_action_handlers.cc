// POST of one key: take, touch, increment.
#include <array>

#include "base/time/duration.h"
#include "service/api/authorise.h"
#include "service/api/entry_headers.h"
#include "service/api/handlers.h"
#include "service/api/once_effect.h"
#include "service/api/operation_fields.h"
#include "service/api/operation_json.h"
#include "service/api/submit.h"
#include "service/json/json_value.h"
#include "service/json/json_writer.h"

namespace holdfast::api {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Response TakeResponse(Exchange&, const OperationResult& result) {
  return EntryResponse(result.entry);
}

Response TouchResponse(Exchange&, const OperationResult& result) {
  Response response;
  response.status = 204;
  response.etag = result.version;
  AddExpiresAt(result.expires_at, &response);
  return response;
}

Response IncrementResponse(Exchange& exchange, const OperationResult& result) {
  Response response;
  response.content_type = MediaTypeOf(exchange.accept().document);
  response.etag = result.version;
  AddExpiresAt(result.expires_at, &response);
  const auto out = exchange.NewWriter();
  out->BeginObject().Key("value").Integer(result.number).EndObject();
  response.body = out->Take();
  return response;
}

template <RespondOne kRespond>
void Answer(Exchange& exchange, OperationResult& result) {
  if (!result.status.ok()) return exchange.Fail(OperationProblem(result));
  exchange.Send(kRespond(exchange, result));
}

template <RespondOne kRespond>
void Run(ExchangePtr exchange, Operation operation) {
  const bool once = exchange->once() != nullptr && exchange->once()->with_effect();
  if (once) return RunOnce(*exchange, operation, kRespond);
  SubmitOne(std::move(exchange), std::move(operation), Answer<kRespond>);
}

// {"by":5}; an empty body counts by one.
Result<std::int64_t> ReadBy(Exchange& exchange) {
  if (exchange.request().body.empty()) return 1;
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue json, exchange.ParseBody());
  constexpr std::array<std::string_view, 1> kMembers = {"by"};
  if (json.kind != json::JsonValue::Kind::kObject) return Invalid("the body is not an object; send {\"by\":1}");
  HOLDFAST_RETURN_IF_ERROR(CheckMembers(json, kMembers, "the body"));
  const json::JsonValue* by = json.Find("by");
  if (by == nullptr) return 1;
  if (by->kind != json::JsonValue::Kind::kInteger) return Invalid("by: is not an integer of 64 signed bits");
  return by->integer;
}

Result<Expiry> ReadTouchTtl(const RequestHeaders& headers) {
  if (!headers.ttl) return Invalid("Holdfast-TTL is missing; a touch sets the expiry to a duration or none");
  auto expiry = ParseTtl(*headers.ttl);
  if (!expiry.ok()) return std::move(expiry).error().WithContext("Holdfast-TTL");
  if (expiry->kind == Expiry::Kind::kKeep) {
    return Invalid("Holdfast-TTL: keep would change nothing; write a duration or none");
  }
  return expiry;
}

Status ReadPrecondition(const RequestHeaders& headers, bool may_create, Operation* operation) {
  if (headers.if_none_match && !may_create) {
    return Invalid("If-None-Match has no meaning for this action: it needs a key that exists");
  }
  if (headers.if_match && headers.if_none_match) {
    return Invalid("If-Match and If-None-Match contradict each other on a write; give one of them");
  }
  if (headers.if_match) {
    HOLDFAST_ASSIGN_OR_RETURN(operation->precondition, ParseIfMatch(*headers.if_match));
  }
  if (headers.if_none_match) {
    HOLDFAST_ASSIGN_OR_RETURN(operation->precondition, ParseIfNoneMatchOnWrite(*headers.if_none_match));
  }
  return {};
}

Result<Operation> ReadAction(Exchange& exchange, std::string_view action) {
  const RequestHeaders& headers = exchange.headers();
  const bool increment = action == "increment";
  Operation operation;
  operation.kind = increment           ? storage::OperationKind::kIncrement
                   : action == "touch" ? storage::OperationKind::kTouch
                                       : storage::OperationKind::kTake;
  if (!increment && !exchange.request().body.empty()) return Invalid("this action takes no body; leave it out");
  HOLDFAST_RETURN_IF_ERROR(ReadPrecondition(headers, increment, &operation));
  if (increment) {
    HOLDFAST_ASSIGN_OR_RETURN(operation.by, ReadBy(exchange));
    operation.expiry = Expiry::Keep();
    if (headers.ttl) {
      auto expiry = ParseTtl(*headers.ttl);
      if (!expiry.ok()) return std::move(expiry).error().WithContext("Holdfast-TTL");
      operation.expiry = *expiry;
    }
  } else if (action == "touch") {
    HOLDFAST_ASSIGN_OR_RETURN(operation.expiry, ReadTouchTtl(headers));
  } else if (headers.ttl) {
    return Invalid("Holdfast-TTL has no meaning for take; leave it out");
  }
  operation.key = std::move(exchange.key());
  return operation;
}

}  // namespace

void PostKey(ExchangePtr exchange) {
  const std::string* action = exchange->query().Find("action");
  if (action == nullptr || (*action != "take" && *action != "touch" && *action != "increment")) {
    return exchange->Fail("invalid_argument",
                          "the query parameter \"action\" is none of take, touch and increment; to "
                          "write a value use PUT");
  }
  if (*action == "increment") {
    const auto accept = ReadAccept(exchange->request(), false);
    if (!accept.ok()) return exchange->Fail(accept.error());
    exchange->SetAccept(*accept);
    if (auto refused = CheckJsonContentType(exchange->headers())) return exchange->Fail(*refused);
  }
  auto operation = ReadAction(*exchange, *action);
  if (!operation.ok()) return exchange->Fail(operation.error());
  if (auto refused = CheckAllowed(*exchange, *operation)) return exchange->Fail(*refused);
  if (*action == "increment") return Run<IncrementResponse>(std::move(exchange), std::move(operation).value());
  if (*action == "touch") return Run<TouchResponse>(std::move(exchange), std::move(operation).value());
  Run<TakeResponse>(std::move(exchange), std::move(operation).value());
}

}  // namespace holdfast::api
