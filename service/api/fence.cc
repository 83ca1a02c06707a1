#include "service/api/fence.h"

#include <fmt/format.h>

#include <charconv>

#include "service/api/encoding.h"
#include "service/coordination/lock.h"

namespace holdfast::api {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Transaction;
using storage::TransactionResult;

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

void IntoKeys(std::string& key) {
  key.insert(key.begin(), static_cast<char>(storage::Room::kKeys));
}

}  // namespace

Result<Fence> ParseFence(std::string_view text, std::size_t max_key_bytes) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos) {
    return Invalid("Holdfast-Fence is not <lock>=<token>; give the lock's name and the token it was granted with");
  }
  Fence fence;
  auto lock = DecodePercent(text.substr(0, equals));
  if (!lock || lock->empty() || lock->size() > max_key_bytes) {
    return Invalid(fmt::format(
        "Holdfast-Fence: the lock in front of '=' is not a percent-encoded name of 1 to {} bytes", max_key_bytes));
  }
  fence.lock = std::move(*lock);
  const std::string_view digits = text.substr(equals + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), fence.token);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Invalid("Holdfast-Fence: the token behind '=' is not a whole number");
  }
  return fence;
}

storage::Condition ConditionOf(const Fence& fence) {
  return {coordination::FenceKey(fence.lock), storage::Precondition::NotFenced(fence.token)};
}

Result<std::optional<storage::Condition>> ReadFence(Exchange& exchange) {
  const auto& header = exchange.headers().fence;
  if (!header) return std::optional<storage::Condition>();
  HOLDFAST_ASSIGN_OR_RETURN(const Fence fence, ParseFence(*header, exchange.limits().max_key_bytes));
  return std::optional(ConditionOf(fence));
}

Result<TransactionResult> TransactFenced(const Exchange& exchange, const Fence& fence, Transaction transaction) {
  // The rooms take more operations than clients may send.
  HOLDFAST_RETURN_IF_ERROR(storage::ValidateBatch(
      transaction.conditions.size() + transaction.then.size() + transaction.otherwise.size(), exchange.limits()));
  for (storage::Condition& condition : transaction.conditions) IntoKeys(condition.key);
  // In front of both branches rather than among the conditions: one that fails there would choose the other branch.
  storage::Condition condition = ConditionOf(fence);
  Operation check = Operation::Get(std::move(condition.key));
  check.precondition = std::move(condition.precondition);
  for (auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (Operation& operation : *branch) IntoKeys(operation.key);
    branch->insert(branch->begin(), check);
  }
  HOLDFAST_ASSIGN_OR_RETURN(TransactionResult result,
                            exchange.tenant().rooms->Transact(transaction, exchange.deadline()));
  const Status& held = result.results.front().status;
  if (!held.ok() && held.error().code() == ErrorCode::kFenced) return held.error();
  result.results.erase(result.results.begin());
  return result;
}

OperationResult ExecuteFenced(const Exchange& exchange, const Fence& fence, Operation operation) {
  Transaction transaction;
  transaction.then.push_back(std::move(operation));
  auto result = TransactFenced(exchange, fence, std::move(transaction));
  if (result.ok()) return std::move(result->results.front());
  OperationResult failed;
  failed.status = std::move(result).error();
  return failed;
}

}  // namespace holdfast::api
