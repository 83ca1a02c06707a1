#include "service/api/telemetry.h"

#include <fmt/format.h>

#include "base/log/log.h"
#include "service/api/trace_context.h"
#include "service/tracing/span_ids.h"

namespace holdfast::api {

void Telemetry::Begin(std::string_view traceparent, RequestTrace* trace) const {
  const auto given = ParseTraceparent(traceparent);
  trace->trace_id = given ? std::string(given->trace_id) : tracing::RandomTraceId();
  if (given) trace->parent_span_id = given->parent_id;
  trace->span_id = tracing::RandomSpanId();
  trace->sampled = spans_ != nullptr && (given ? given->sampled : spans_->Sample());
}

void Telemetry::End(const RequestTrace& trace, const RequestFacts& facts) const {
  const auto took = std::chrono::steady_clock::now() - trace.steady_start;
  const AccessLog log = access_log();
  if (log == AccessLog::kAll || (log == AccessLog::kErrors && facts.status >= 400)) {
    log::Info("request", {{"method", facts.method},
                          {"path", facts.path},
                          {"route", facts.route},
                          {"status", facts.status},
                          {"store", facts.store},
                          {"namespace", facts.name_space},
                          {"request_bytes", facts.request_bytes},
                          {"response_bytes", facts.response_bytes},
                          {"duration_ms", std::chrono::duration<double, std::milli>(took).count()},
                          {"trace_id", trace.trace_id},
                          {"span_id", trace.span_id}});
  }
  if (!trace.sampled) return;
  tracing::Span span;
  span.trace_id = trace.trace_id;
  span.span_id = trace.span_id;
  span.parent_span_id = trace.parent_span_id;
  span.name = fmt::format("{} {}", facts.method, facts.route);
  span.start = trace.start;
  span.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(took);
  span.failed = facts.status >= 500;
  // OpenTelemetry's semantic conventions for HTTP servers, and what is ours.
  span.attributes = {{"http.request.method", std::string(facts.method)},
                     {"http.route", std::string(facts.route)},
                     {"url.path", std::string(facts.path)}};
  if (!facts.store.empty()) span.attributes.emplace_back("holdfast.store", std::string(facts.store));
  if (!facts.name_space.empty()) span.attributes.emplace_back("holdfast.namespace", std::string(facts.name_space));
  span.numbers = {{"http.response.status_code", facts.status},
                  {"http.request.body.size", static_cast<std::int64_t>(facts.request_bytes)},
                  {"http.response.body.size", static_cast<std::int64_t>(facts.response_bytes)}};
  if (trace.calls_of != nullptr) {
    const std::uint64_t calls = trace.calls_of->calls.load(std::memory_order_relaxed);
    span.numbers.emplace_back("holdfast.backend_calls", static_cast<std::int64_t>(calls));
  }
  spans_->Record(std::move(span));
}

}  // namespace holdfast::api
