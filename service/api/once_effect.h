// Idempotency-Key where the effect of a request and the row with its answer are one transaction, so that not even a
// crash makes it happen twice, loses its answer or leaves its outcome unknown.
//
// For exchanges whose Once is with_effect(); called on the store's pool.
#pragma once

#include <optional>

#include "service/api/exchange.h"
#include "service/api/fence.h"

namespace holdfast::api {

// Runs one operation of the client's keys that has passed the caller's checks, and answers. `respond` makes the answer
// of a result; it is asked before the operation takes effect too, and what that answer lacks (an ETag that is not given
// out yet) a repeat lacks only when a crash came in between.
using RespondOne = Response (*)(Exchange& exchange, const storage::OperationResult& result);
void RunOnce(Exchange& exchange, const storage::Operation& operation, RespondOne respond);

// Runs a transaction of the client's keys. nullopt: it is a repeat, and has been answered. `outline` makes the answer
// to a transaction that took effect by one of its branches, without the results, which are not known before: a repeat
// gets that when the whole answer is too long to be kept, or a crash came in between. One that is not applied leaves no
// row.
using Outline = Response (*)(Exchange& exchange, bool then);
Result<std::optional<storage::TransactionResult>> TransactOnce(Exchange& exchange,
                                                               const std::optional<storage::Condition>& fence,
                                                               const storage::Transaction& transaction,
                                                               Outline outline);

}  // namespace holdfast::api
