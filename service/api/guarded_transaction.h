// A client's transaction with looks and writes in other rooms of its tenant in front, which all of it hangs on: the
// check of a fencing token, the row of an Idempotency-Key.
#pragma once

#include <vector>

#include "base/result/result.h"
#include "service/api/exchange.h"
#include "service/storage/types.h"

namespace holdfast::api {

// Keys of the tenant's rooms. Operations rather than conditions: one that fails refuses everything, while a condition
// that fails would choose the other branch.
struct Guards {
  std::vector<storage::Operation> then;
  std::vector<storage::Operation> otherwise;
};

struct GuardedResult {
  std::vector<storage::OperationResult> guards;  // of the branch that ran
  storage::TransactionResult result;             // as if there were no guards
};

// `transaction` is of the client's keys. The error of a guard that failed is the error of the call, and nothing was
// changed; a get that finds nothing has not failed.
Result<GuardedResult> TransactGuarded(const Exchange& exchange, Guards guards, storage::Transaction transaction);

}  // namespace holdfast::api
