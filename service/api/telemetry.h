// What is told of every request when somebody asked for it: a line of the access log, a span.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "service/http/http_message.h"
#include "service/tracing/context.h"
#include "service/tracing/span.h"

namespace holdfast::api {

// kErrors: answers from 400 on.
enum class AccessLog { kOff, kErrors, kAll };

// One request on its way, from when its handler was called.
struct RequestTrace {
  std::chrono::system_clock::time_point start = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point steady_start = std::chrono::steady_clock::now();
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;          // empty = none
  bool sampled = false;                // a span is recorded
  tracing::TracedRequestPtr calls_of;  // null until it may ask backends, and unless it is sampled
};

struct RequestFacts {
  std::string_view method;
  std::string_view path;  // as sent; without the query
  std::string_view route;
  std::string_view store;       // empty = none
  std::string_view name_space;  // empty = none
  int status = 0;
  std::size_t request_bytes = 0;   // of the body, as far as it is known
  std::size_t response_bytes = 0;  // of the body; 0 for a stream
};

// Thread-safe.
class Telemetry {
 public:
  // `spans` may be null.
  Telemetry(AccessLog access_log, std::shared_ptr<tracing::SpanSink> spans)
      : access_log_(access_log), spans_(std::move(spans)) {}

  // Of requests that begin from now on.
  void SetAccessLog(AccessLog access_log) { access_log_.store(access_log, std::memory_order_relaxed); }
  bool enabled() const { return access_log() != AccessLog::kOff || spans_ != nullptr; }
  // `traceparent`: as the client sent it when it is well-formed, else empty.
  void Begin(std::string_view traceparent, RequestTrace* trace) const;
  void End(const RequestTrace& trace, const RequestFacts& facts) const;

 private:
  AccessLog access_log() const { return access_log_.load(std::memory_order_relaxed); }

  std::atomic<AccessLog> access_log_;
  const std::shared_ptr<tracing::SpanSink> spans_;
};

}  // namespace holdfast::api
