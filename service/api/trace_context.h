// The identity of a request across services (W3C Trace Context, level 1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::api {

// The trace id (32 lower-case hex digits) of a `traceparent` header; nullopt when it is malformed, which the
// specification has receivers ignore.
std::optional<std::string_view> TraceIdOf(std::string_view traceparent);

// 32 lower-case hex digits, never all zero. Not a secret: unique, not unguessable. Thread-safe.
std::string RandomTraceId();

}  // namespace holdfast::api
