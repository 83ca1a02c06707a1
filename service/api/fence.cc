#include "service/api/fence.h"

#include <fmt/format.h>

#include <charconv>

#include "service/api/encoding.h"
#include "service/api/guarded_transaction.h"
#include "service/coordination/lock.h"

namespace holdfast::api {
namespace {

using storage::Condition;
using storage::Operation;
using storage::OperationResult;
using storage::Transaction;
using storage::TransactionResult;

Error Invalid(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<Condition> ParseFence(std::string_view text, std::size_t max_key_bytes) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string_view::npos) {
    return Invalid("Holdfast-Fence is not <lock>=<token>; give the lock's name and the token it was granted with");
  }
  const auto lock = DecodePercent(text.substr(0, equals));
  if (!lock || lock->empty() || lock->size() > max_key_bytes) {
    return Invalid(fmt::format(
        "Holdfast-Fence: the lock in front of '=' is not a percent-encoded name of 1 to {} bytes", max_key_bytes));
  }
  std::uint64_t token = 0;
  const std::string_view digits = text.substr(equals + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), token);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Invalid("Holdfast-Fence: the token behind '=' is not a whole number");
  }
  return Condition{coordination::FenceKey(*lock), storage::Precondition::NotFenced(token)};
}

}  // namespace

Result<std::optional<Condition>> ReadFence(const Exchange& exchange) {
  const auto& header = exchange.headers().fence;
  if (!header) return std::optional<Condition>();
  HOLDFAST_ASSIGN_OR_RETURN(Condition fence, ParseFence(*header, exchange.limits().max_key_bytes));
  return std::optional(std::move(fence));
}

Operation FenceCheck(const Condition& fence) {
  Operation check = Operation::Get(fence.key);
  check.precondition = fence.precondition;
  return check;
}

Result<TransactionResult> TransactFenced(const Exchange& exchange, const Condition& fence, Transaction transaction) {
  const Operation check = FenceCheck(fence);
  HOLDFAST_ASSIGN_OR_RETURN(GuardedResult guarded,
                            TransactGuarded(exchange, {{check}, {check}}, std::move(transaction)));
  return std::move(guarded.result);
}

OperationResult ExecuteFenced(const Exchange& exchange, const Condition& fence, Operation operation) {
  Transaction transaction;
  transaction.then.push_back(std::move(operation));
  auto result = TransactFenced(exchange, fence, std::move(transaction));
  if (result.ok()) return std::move(result->results.front());
  OperationResult failed;
  failed.status = std::move(result).error();
  return failed;
}

}  // namespace holdfast::api
