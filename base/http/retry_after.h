// How long a server asks to be left alone (RFC 9110 section 10.2.3), where it says so in seconds. nullopt: it does not
// say, or says it by a date, which would need our clocks to agree. Pure, thread-safe.
#pragma once

#include <chrono>
#include <optional>

#include "base/http/http_client.h"

namespace holdfast::http {

std::optional<std::chrono::seconds> RetryAfter(const Headers& headers);

}  // namespace holdfast::http
