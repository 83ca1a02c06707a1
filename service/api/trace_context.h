// The identity of a request across services (W3C Trace Context, level 1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

struct TraceContext {
  std::string_view trace_id;   // 32 lower-case hex digits
  std::string_view parent_id;  // 16
  bool sampled = false;
};
// The parts of a `traceparent` header, as views into it; nullopt when it is malformed, which the specification has
// receivers ignore.
std::optional<TraceContext> ParseTraceparent(std::string_view traceparent);

// `00-...`: what the next service is told.
std::string FormatTraceparent(std::string_view trace_id, std::string_view span_id, bool sampled);

}  // namespace holdfast::api
