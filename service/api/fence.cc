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

Error Invalid() {
  return {ErrorCode::kInvalidArgument,
          "Holdfast-Fence is not LOCK=TOKEN: the name of a lock, percent-encoded like in its path, and the token that "
          "its acquire answered with"};
}

// In front of the operations: a look that fails ends the transaction before any of them.
Operation Look(const Exchange& exchange, const transactions::Fence& fence) {
  Operation look = Operation::Get(exchange.tenant().space.Wrap(fence.key));
  look.precondition = storage::Precondition::NotFenced(fence.token);
  return look;
}

bool IsCode(const Status& status, ErrorCode code) {
  return !status.ok() && status.error().code() == code;
}

// Takes the look off, and counts the operations as the client does.
void DropLook(TransactionResult* result) {
  result->results.erase(result->results.begin());
  if (result->applied) return;
  std::size_t failed = 0;
  while (failed < result->results.size() && IsCode(result->results[failed].status, ErrorCode::kCancelled)) ++failed;
  for (OperationResult& one : result->results) {
    if (!IsCode(one.status, ErrorCode::kCancelled)) continue;
    one.status = Error(ErrorCode::kCancelled, fmt::format("not applied, because operation {} failed", failed));
  }
}

}  // namespace

Result<std::optional<transactions::Fence>> ReadFence(const Exchange& exchange) {
  const auto& header = exchange.headers().fence;
  if (!header) return std::optional<transactions::Fence>();
  const std::size_t equals = header->rfind('=');
  if (equals == std::string_view::npos || equals == 0) return Invalid();
  const auto lock = DecodePercent(header->substr(0, equals));
  if (!lock || lock->size() > exchange.limits().max_key_bytes) return Invalid();
  const std::string_view digits = header->substr(equals + 1);
  transactions::Fence fence{coordination::FenceKey(*lock), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), fence.token);
  if (error != std::errc() || end != digits.data() + digits.size()) return Invalid();
  return std::optional(std::move(fence));
}

OperationResult ExecuteFenced(const Exchange& exchange, const Operation& operation, const transactions::Fence& fence) {
  Transaction transaction;
  transaction.then = {Look(exchange, fence), operation};
  OperationResult failed;
  auto result = exchange.store().backend->Transact(transaction, exchange.deadline());
  if (!result.ok()) {
    failed.status = std::move(result).error();
    // The backend gave up after its own retries; of one key the same code says that a precondition failed.
    if (IsCode(failed.status, ErrorCode::kVersionConflict)) {
      failed.status = Error(ErrorCode::kUnavailable, failed.status.error().message());
    }
    return failed;
  }
  if (!IsCode(result->results.front().status, ErrorCode::kFenced)) return std::move(result->results.back());
  failed.status = result->results.front().status;
  return failed;
}

Result<TransactionResult> TransactFenced(const Exchange& exchange, const Transaction& transaction,
                                         const transactions::Fence& fence) {
  Transaction fenced = transaction;
  exchange.tenant().key_space.Wrap(fenced);
  for (auto* branch : {&fenced.then, &fenced.otherwise}) branch->insert(branch->begin(), Look(exchange, fence));
  HOLDFAST_ASSIGN_OR_RETURN(TransactionResult result, exchange.store().backend->Transact(fenced, exchange.deadline()));
  if (IsCode(result.results.front().status, ErrorCode::kFenced)) return result.results.front().status.error();
  DropLook(&result);
  return result;
}

}  // namespace holdfast::api
