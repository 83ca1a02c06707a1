// The body of requests that make something and may name it: {"id":"before-it"}.
#pragma once

#include <optional>
#include <string>

#include "service/api/exchange.h"

namespace holdfast::api {

// The id; empty: the body asks for none. nullopt: the exchange was answered, since the body is no such thing.
std::optional<std::string> TakeIdBody(Exchange& exchange);

}  // namespace holdfast::api
