// What is told of one request, or of one call of a backend, to whoever traces.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::tracing {

enum class SpanKind { kServer, kClient };

// A span elsewhere that belongs to this one and is not its parent.
struct SpanLink {
  std::string trace_id;
  std::string span_id;
};

// One span, in OpenTelemetry's words. Ids are lower-case hex.
struct Span {
  SpanKind kind = SpanKind::kServer;
  std::string trace_id;        // 32 digits
  std::string span_id;         // 16 digits
  std::string parent_span_id;  // 16 digits, or empty
  std::string name;            // "GET /v1/stores/{store}/keys/{key}"
  std::chrono::system_clock::time_point start;
  std::chrono::nanoseconds duration{};
  bool failed = false;  // the service's own failure (5xx), or the backend's
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<std::pair<std::string, std::int64_t>> numbers;
  std::vector<SpanLink> links;
};

// Thread-safe; Record never blocks for long and never fails: what cannot be taken is dropped and counted.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  // Whether a request without a parent's decision is traced; drawn anew by each call.
  virtual bool Sample() = 0;
  // Of the requests without one, from now on.
  virtual void SetSamplePercent(int percent) = 0;
  virtual void Record(Span span) = 0;
};

}  // namespace holdfast::tracing
