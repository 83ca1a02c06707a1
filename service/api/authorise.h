// Whether a request may go on: who asks, how often, and for what. All of it happens before a store is looked at, so no
// refusal tells what is there.
#pragma once

#include <optional>
#include <string_view>

#include "service/api/exchange.h"
#include "service/tenancy/verb.h"

namespace holdfast::api {

// Finds out who asks and calls `proceed` with the exchange, from any thread; or answers 401, or 503 when it cannot be
// found out.
using Proceed = std::function<void(ExchangePtr exchange)>;
void Authenticate(ExchangePtr exchange, Proceed proceed);

// 403 when the caller may do nothing of that kind in its namespace of `store` (empty = outside of stores), whatever the
// name. Called for every request.
std::optional<Problem> CheckPlace(const Exchange& exchange, const tenancy::Access& access, std::string_view store);
// 429 when the namespace has used up its rate.
std::optional<Problem> CheckRate(const Exchange& exchange);

// 403 unless the caller may do what the route says to what the request names: its key, its prefix, or everything.
// Called for every request; what Access::Each leaves open is asked for by the handler.
std::optional<Problem> CheckSubject(Exchange& exchange, const tenancy::Access& access);

// 403 unless the caller may. The exchange has its store, where its route has one. `name` is the key, the name of a
// lock, channel or collection, or the prefix of what the request is about; empty = the whole namespace.
std::optional<Problem> CheckAllowed(const Exchange& exchange, tenancy::Verb verb, std::string_view name);
// 403 unless the caller may do so in every namespace of the exchange's store.
std::optional<Problem> CheckWholeStore(const Exchange& exchange, tenancy::Verb verb);
// CheckAllowed for what an operation asks: get: read; put, touch, increment: write; delete: delete; take: read and
// delete.
std::optional<Problem> CheckAllowed(const Exchange& exchange, const storage::Operation& operation);

}  // namespace holdfast::api
