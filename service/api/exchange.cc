#include "service/api/exchange.h"

#include "base/log/log.h"
#include "service/api/route_table.h"
#include "service/api/trace_context.h"
#include "service/tracing/span_ids.h"

namespace holdfast::api {

Exchange::Exchange(const ApiContext& context, Request& request, Responder responder)
    : context_(context), request_(request), responder_(std::move(responder)) {
  if (!context_.telemetry->enabled()) return;
  trace_ = std::make_unique<RequestTrace>();
  request_bytes_ = request.body.size();
}

void Exchange::SetEndpoint(const Endpoint* endpoint) {
  endpoint_ = endpoint;
  const bool changes = endpoint->method != Method::kGet && endpoint->method != Method::kHead;
  if (changes && context_.tenancy.audit->on()) audit_ = std::make_unique<AuditTrail>();
}

void Exchange::SetCaller(tenancy::PrincipalPtr caller, tenancy::PolicyPtr policy) {
  known_caller_ = std::move(caller);
  caller_ = known_caller_.get();
  policy_ = std::move(policy);
}

void Exchange::SetStore(const storage::Store* store) {
  store_ = store;
  const auto index = static_cast<std::size_t>(store - context_.stores->stores().data());
  tally_ = context_.tallies[index].get();
}

void Exchange::BeginTrace() {
  if (trace_) context_.telemetry->Begin(headers_.traceparent, trace_.get());
}

tracing::ContextPtr Exchange::TraceCalls() {
  if (!trace_ || !trace_->sampled) return nullptr;
  auto request = std::make_shared<tracing::TracedRequest>();
  request->trace_id = trace_->trace_id;
  request->span_id = trace_->span_id;
  if (store_ != nullptr) request->store = store_->name;
  trace_->calls_of = request;
  return tracing::ContextOf(std::move(request));
}

void Exchange::Observe(Response* response) {
  const std::size_t sent = response->entry ? response->entry->value.size() : response->body.size();
  context_.telemetry->End(
      *trace_, {.method = request_.method_name,
                .path = request_.path,
                .route = route_,
                .store = store_ != nullptr ? std::string_view(store_->name) : std::string_view(),
                .name_space = tenant_ != nullptr ? std::string_view(tenant_->name_space) : std::string_view(),
                .status = response->status,
                .request_bytes = request_bytes_,
                .response_bytes = response->stream ? 0 : sent});
  response->headers.emplace_back("traceparent", FormatTraceparent(trace_->trace_id, trace_->span_id, trace_->sampled));
}

void Exchange::WriteAudit(const Response& response) {
  tenancy::AuditRecord record;
  record.actor = caller_->name;
  record.from = request_.peer_address;
  record.name_space = name_space_;
  if (store_ != nullptr) record.store = store_->name;
  const auto given = ParseTraceparent(headers_.traceparent);
  record.trace_id = trace_ ? trace_->trace_id : given ? std::string(given->trace_id) : std::string();
  audit_->Finish(response.status, endpoint_->operation_id, std::move(record), *context_.tenancy.audit);
}

void Exchange::Send(Response&& response) {
  if (audit_) WriteAudit(response);
  if (trace_) {
    Observe(&response);
  } else if (!headers_.traceparent.empty()) {
    response.headers.emplace_back("traceparent", std::string(headers_.traceparent));
  }
  if (endpoint_ != nullptr) {
    context_.request_metrics->Count(IndexOf(*endpoint_), response.status);
  } else {
    context_.request_metrics->CountOther(route_, request_.method, response.status);
  }
  if (once_) return once_->Finish(std::move(response), failed_, std::move(responder_));
  responder_.Send(std::move(response));
}

void Exchange::SendDocument(int status, json::DocumentWriter& document) {
  Response response;
  response.status = status;
  response.content_type = MediaTypeOf(accept_.document);
  response.body = document.Take();
  Send(std::move(response));
}

void Exchange::SendJson(int status, std::string json) {
  Response response;
  response.status = status;
  response.content_type = MediaTypeOf(accept_.document);
  response.body = json::Transcode(std::move(json), accept_.document);
  Send(std::move(response));
}

void Exchange::Fail(const Problem& problem) {
  const auto given = ParseTraceparent(headers_.traceparent);
  const std::string trace_id = trace_  ? trace_->trace_id
                               : given ? std::string(given->trace_id)
                                       : tracing::RandomTraceId();
  // The service's own failures; whoever runs it finds them by the id that the client was given.
  if (problem.http_status() == 500) {
    log::Error("a request failed", {{"route", route_},
                                    {"store", store_ != nullptr ? store_->name : ""},
                                    {"code", problem.kind->code},
                                    {"detail", problem.detail},
                                    {"trace_id", trace_id}});
  }
  failed_ = problem.kind;
  Response response = ProblemResponse(problem, trace_id);
  if (accept_.document != json::Format::kJson) {
    response.content_type = MediaTypeOf(accept_.document);
    response.body = json::Transcode(std::move(response.body), accept_.document);
  }
  Send(std::move(response));
}

void Exchange::FailBusy() {
  Fail("unavailable", "the store's queue is full and nothing was attempted; try again later");
}

}  // namespace holdfast::api
