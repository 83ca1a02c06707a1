#include "service/api/guarded_transaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace holdfast::api {
namespace {

using storage::Operation;
using storage::OperationResult;

void IntoKeys(std::string& key) {
  key.insert(key.begin(), static_cast<char>(storage::Room::kKeys));
}

bool IsCode(const OperationResult& result, ErrorCode code) {
  return !result.status.ok() && result.status.error().code() == code;
}

// The client counts its operations from its own first one.
void Renumber(storage::TransactionResult* result) {
  if (result->applied) return;
  const auto failed = std::find_if(result->results.begin(), result->results.end(),
                                   [](const auto& one) { return !IsCode(one, ErrorCode::kCancelled); });
  const auto number = failed - result->results.begin();
  for (OperationResult& one : result->results) {
    if (!IsCode(one, ErrorCode::kCancelled)) continue;
    one.status = Error(ErrorCode::kCancelled, fmt::format("not applied, because operation {} failed", number));
  }
}

}  // namespace

Result<GuardedResult> TransactGuarded(const Exchange& exchange, Guards guards, storage::Transaction transaction) {
  // The rooms take more operations than clients may send.
  HOLDFAST_RETURN_IF_ERROR(
      storage::ValidateBatch(transaction.conditions.size() + transaction.then.size() + transaction.otherwise.size(),
                             exchange.keys().limits()));
  const std::size_t then = guards.then.size();
  const std::size_t otherwise = guards.otherwise.size();
  for (storage::Condition& condition : transaction.conditions) IntoKeys(condition.key);
  const auto put_in_front = [](std::vector<Operation>& front, std::vector<Operation>* branch) {
    for (Operation& operation : *branch) IntoKeys(operation.key);
    branch->insert(branch->begin(), std::move_iterator(front.begin()), std::move_iterator(front.end()));
  };
  put_in_front(guards.then, &transaction.then);
  put_in_front(guards.otherwise, &transaction.otherwise);
  GuardedResult guarded;
  HOLDFAST_ASSIGN_OR_RETURN(guarded.result, exchange.tenant().rooms->Transact(transaction, exchange.deadline()));
  std::vector<OperationResult>& results = guarded.result.results;
  const auto own = results.begin() + static_cast<std::ptrdiff_t>(guarded.result.conditions_held ? then : otherwise);
  guarded.guards.assign(std::move_iterator(results.begin()), std::move_iterator(own));
  results.erase(results.begin(), own);
  for (const OperationResult& guard : guarded.guards) {
    // Cancelled: something behind it failed, of the guards or of the client's own.
    const bool failed =
        !guard.status.ok() && !IsCode(guard, ErrorCode::kNotFound) && !IsCode(guard, ErrorCode::kCancelled);
    if (failed) return guard.status.error();
  }
  Renumber(&guarded.result);
  return guarded;
}

}  // namespace holdfast::api
