// The header Holdfast-Fence: a write that takes effect only while the token is the newest that was issued for its lock.
// The check and the write are one transaction over the tenant's rooms, so a holder that slept beyond its lease cannot
// slip in between (Kleppmann, "How to do distributed locking", 2016).
#pragma once

#include <optional>

#include "base/result/result.h"
#include "service/api/exchange.h"
#include "service/storage/types.h"

namespace holdfast::api {

// The header `<lock>=<token>` of the request as a condition on the tenant's rooms that fails with kFenced; nullopt when
// it has none. The lock is percent-encoded as in a path, the token as it was granted: else kInvalidArgument.
Result<std::optional<storage::Condition>> ReadFence(const Exchange& exchange);

// The same condition as a get.
storage::Operation FenceCheck(const storage::Condition& fence);

// Runs the transaction on the tenant's keys if the fence holds; kFenced when it does not, and then nothing is changed.
Result<storage::TransactionResult> TransactFenced(const Exchange& exchange, const storage::Condition& fence,
                                                  storage::Transaction transaction);

// The same for one operation.
storage::OperationResult ExecuteFenced(const Exchange& exchange, const storage::Condition& fence,
                                       storage::Operation operation);

}  // namespace holdfast::api
