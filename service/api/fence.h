// The header Holdfast-Fence: a write that takes effect only while the token is the newest that was issued for its lock.
// The check and the write are one transaction over the tenant's rooms, so a holder that slept beyond its lease cannot
// slip in between (Kleppmann, "How to do distributed locking", 2016).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "service/api/exchange.h"
#include "service/storage/types.h"

namespace holdfast::api {

struct Fence {
  std::string lock;  // as the lock's own path has it, decoded
  std::uint64_t token = 0;
};

// `<lock>=<token>`: the lock percent-encoded as in a path, the token as it was granted. kInvalidArgument otherwise.
Result<Fence> ParseFence(std::string_view text, std::size_t max_key_bytes);

// The fence as a condition on the tenant's rooms; kFenced when it fails.
storage::Condition ConditionOf(const Fence& fence);
// Of the request's header, if it has one.
Result<std::optional<storage::Condition>> ReadFence(Exchange& exchange);

// Runs the transaction on the tenant's keys if the fence holds; kFenced when it does not, and then nothing is changed.
Result<storage::TransactionResult> TransactFenced(const Exchange& exchange, const Fence& fence,
                                                  storage::Transaction transaction);

// The same for one operation.
storage::OperationResult ExecuteFenced(const Exchange& exchange, const Fence& fence, storage::Operation operation);

}  // namespace holdfast::api
