// What requests about locks and about elections have in common. Each answers its exchange exactly once; `name` is that
// of the lock.
#pragma once

#include <string>

#include "service/api/exchange.h"
#include "service/coordination/lock.h"
#include "service/json/json_writer.h"

namespace holdfast::api {

void AcquireLease(ExchangePtr exchange, std::string name);
void ExtendLease(ExchangePtr exchange, std::string name);
void ReleaseLease(ExchangePtr exchange, std::string name);

// {"holder","owner","encoding"?,"token","expires_at"}; never the lease, which is the holder's secret.
void WriteHolder(const coordination::Holder& holder, json::JsonWriter* json);

}  // namespace holdfast::api
