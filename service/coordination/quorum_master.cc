#include "service/coordination/quorum_master.h"

#include <fmt/format.h>

#include <array>

namespace holdfast::coordination {
namespace {

using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

std::string OwnKey(std::string_view store, std::string_view name) {
  return storage::KeySpace(store, storage::kSystemNamespace).In(storage::Room::kSystem).Wrap(name);
}

Result<storage::EntryPtr> Read(OperationResult& result) {
  if (result.status.ok()) return std::move(result.entry);
  if (result.status.error().code() == ErrorCode::kNotFound) return storage::EntryPtr();
  return std::move(result.status).error();
}

Error Damaged(std::string_view what, const std::string& master) {
  return {ErrorCode::kCorruption,
          fmt::format("the {} row of the lock on {} is damaged; delete the row, or empty that server", what, master)};
}

// False when the row is gone or another one.
Result<bool> Done(const OperationResult& result) {
  if (result.status.ok()) return true;
  const ErrorCode code = result.status.error().code();
  if (code == ErrorCode::kNotFound || code == ErrorCode::kVersionConflict) return false;
  return result.status.error();
}

Result<bool> Applied(Result<storage::TransactionResult> result) {
  if (!result.ok()) return std::move(result).error();
  if (!result->conditions_held) return false;
  for (const OperationResult& operation : result->results) {
    if (!operation.status.ok() && operation.status.error().code() != ErrorCode::kCancelled) {
      return operation.status.error();
    }
  }
  return result->applied;
}

}  // namespace

QuorumMaster::QuorumMaster(std::string name, std::shared_ptr<storage::Backend> backend, std::string_view store,
                           std::size_t masters)
    : name_(std::move(name)),
      backend_(std::move(backend)),
      member_key_(OwnKey(store, "lock-quorum/member")),
      rest_key_(OwnKey(store, "lock-quorum/rest")),
      member_value_(fmt::format("1\n{}", masters)) {}

Result<QuorumView> QuorumMaster::Look(const QuorumKeys& keys, Deadline deadline) const {
  const std::array reads{Operation::Get(member_key_), Operation::Get(rest_key_), Operation::Get(keys.lock),
                         Operation::Get(keys.fence)};
  std::array<OperationResult, 4> rows;
  backend_->Execute(reads, rows, deadline);
  HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr member, Read(rows[0]));
  HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr rest, Read(rows[1]));
  HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr lock, Read(rows[2]));
  HOLDFAST_ASSIGN_OR_RETURN(const storage::EntryPtr fence, Read(rows[3]));
  if (member != nullptr && member->value != member_value_) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{} keeps locks as one of another number of servers; all instances need the same list in "
                             "the store's lock_backends, and another list needs empty servers",
                             name_));
  }
  QuorumView view;
  view.member = member != nullptr;
  view.resting = rest != nullptr;
  if (lock != nullptr) {
    view.row = LockRow::Decode(lock->value);
    if (!view.row || !lock->expires_at) return Damaged("lock", name_);
    view.row_version = lock->version;
    view.row_expires_at = *lock->expires_at;
  }
  if (fence != nullptr) {
    const auto newest = ParseToken(fence->value);
    if (!newest || *newest == kMaxToken) return Damaged("fence", name_);
    view.newest_token = *newest;
    view.fence_version = fence->version;
  }
  return view;
}

Result<bool> QuorumMaster::Join(std::chrono::microseconds rest, Deadline deadline) const {
  storage::Transaction transaction;
  transaction.conditions.push_back({member_key_, Precondition::Absent()});
  transaction.then.push_back(Operation::Put(member_key_, member_value_));
  if (rest > std::chrono::microseconds::zero()) {
    transaction.then.push_back(Operation::Put(rest_key_, "1", {}, Expiry::After(rest)));
  }
  return Applied(backend_->Transact(transaction, deadline));
}

Result<bool> QuorumMaster::Grant(const QuorumKeys& keys, const QuorumView& seen, const LockRow& row,
                                 std::chrono::microseconds ttl, Deadline deadline) const {
  storage::Transaction transaction;
  transaction.conditions.push_back({member_key_, Precondition::ValueIs(member_value_)});
  transaction.conditions.push_back({rest_key_, Precondition::Absent()});
  transaction.conditions.push_back({keys.lock, Precondition::Absent()});
  transaction.conditions.push_back(
      {keys.fence, seen.fence_version == 0 ? Precondition::Absent() : Precondition::VersionIs(seen.fence_version)});
  transaction.then.push_back(Operation::Put(keys.lock, row.Encode(), {}, Expiry::After(ttl)));
  transaction.then.push_back(Operation::Put(keys.fence, std::to_string(row.token)));
  return Applied(backend_->Transact(transaction, deadline));
}

Result<bool> QuorumMaster::Extend(const QuorumKeys& keys, const QuorumView& seen, std::chrono::microseconds ttl,
                                  Deadline deadline) const {
  return Done(storage::ExecuteOne(
      *backend_, Operation::Touch(keys.lock, Expiry::After(ttl), Precondition::VersionIs(seen.row_version)), deadline));
}

Result<bool> QuorumMaster::Release(const QuorumKeys& keys, const QuorumView& seen, Deadline deadline) const {
  return Done(storage::ExecuteOne(*backend_, Operation::Delete(keys.lock, Precondition::VersionIs(seen.row_version)),
                                  deadline));
}

}  // namespace holdfast::coordination
