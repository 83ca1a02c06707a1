// Identities of traces and spans (W3C Trace Context, level 1).
#pragma once

#include <string>

namespace holdfast::tracing {

// 32 and 16 lower-case hex digits, never all zero. Not secrets: unique, not unguessable. Thread-safe.
std::string RandomTraceId();
std::string RandomSpanId();

}  // namespace holdfast::tracing
