// Holdfast-Fence: a write that takes effect only while no newer token of a lock was issued, checked in the same atomic
// step as the write.
#pragma once

#include <optional>

#include "service/api/exchange.h"
#include "service/transactions/session.h"

namespace holdfast::api {

// `<lock>=<token>`: the lock's name as a path would carry it, percent-encoded where it must be, and the token as the
// acquire gave it. nullopt when the header is not there. The key of the fence is that of its row in the tenant's rooms.
Result<std::optional<transactions::Fence>> ReadFence(const Exchange& exchange);

// `operation` as for the store's own backend. kFenced in its result when a newer token was issued; its `version` is
// that of the key, as ever.
storage::OperationResult ExecuteFenced(const Exchange& exchange, const storage::Operation& operation,
                                       const transactions::Fence& fence);

// The same for a whole transaction of the client's keys, which has passed Validate; kFenced as an error.
Result<storage::TransactionResult> TransactFenced(const Exchange& exchange, const storage::Transaction& transaction,
                                                  const transactions::Fence& fence);

}  // namespace holdfast::api
