// Sends spans to an OpenTelemetry collector: OTLP over HTTP with JSON bodies (opentelemetry-proto 1.0, "OTLP/HTTP").
// Spans wait in a bounded queue and go out in batches from one thread, so that a slow or absent collector costs
// requests nothing: what does not fit is dropped and counted. A batch is tried once; a collector that answers 429 or
// 5xx, or not at all, has it dropped too.
//
// Metrics: holdfast_tracing_spans_total{result="exported"|"dropped"}.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "service/tracing/span.h"

namespace holdfast::tracing {

struct OtlpOptions {
  std::string endpoint;          // "http://collector:4318"; spans go to /v1/traces below it. Empty = no tracing
  int sample_percent = 100;      // of requests that bring no decision of their own
  std::size_t max_queue = 4096;  // spans that wait
  std::size_t max_batch = 512;   // spans of one request to the collector
  std::chrono::microseconds interval{std::chrono::seconds{1}};  // longest wait of a span before it is sent
  std::chrono::microseconds timeout{std::chrono::seconds{5}};   // of one request to the collector
  std::string service_name = "holdfast";
};

// kInvalidArgument when the endpoint is no http or https URL. `registry` outlives the sink. The destructor sends what
// waits, for at most one timeout.
Result<std::unique_ptr<SpanSink>> MakeOtlpExporter(const OtlpOptions& options, metrics::Registry& registry);

// The body of one request: an ExportTraceServiceRequest. For tests.
std::string EncodeSpans(const std::string& service_name, std::span<const Span> spans);

}  // namespace holdfast::tracing
