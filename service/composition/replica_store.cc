#include "service/composition/replica_store.h"

namespace holdfast::composition {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

Result<std::optional<ReplicaMarker>> ReplicaStore::ReadMarker(Deadline deadline) {
  const OperationResult read = storage::ExecuteOne(copy_.backend(), Operation::Get(marker_key_), deadline);
  if (!read.status.ok()) {
    if (read.status.error().code() != ErrorCode::kNotFound) return read.status.error();
    stands_.reset();
    marker_.reset();
    return marker_;
  }
  const auto marker = ReplicaMarker::Decode(read.entry->value);
  if (!marker) return Error(ErrorCode::kCorruption, "the marker of a replica is damaged");
  stands_ = read.entry->value;
  marker_ = marker;
  return marker_;
}

Status ReplicaStore::WriteMarker(const ReplicaMarker& marker, Deadline deadline) {
  return Apply({}, marker, deadline);
}

Status ReplicaStore::Apply(std::span<const ReplicaBatchPtr> batches, const ReplicaMarker& behind, Deadline deadline) {
  storage::Transaction write;
  write.conditions.push_back({marker_key_, stands_ ? Precondition::ValueIs(*stands_) : Precondition::Absent()});
  for (const ReplicaBatchPtr& batch : batches) {
    write.then.insert(write.then.end(), batch->operations.begin(), batch->operations.end());
  }
  std::string bytes = behind.Encode();
  write.then.push_back(Operation::Put(marker_key_, bytes));
  HOLDFAST_ASSIGN_OR_RETURN(const storage::TransactionResult result, copy_.backend().Transact(write, deadline));
  if (!result.conditions_held) {
    return Error(ErrorCode::kFenced, "the marker of the replica is not the one that was written last");
  }
  for (const OperationResult& one : result.results) {
    if (!result.applied && !one.status.ok() && one.status.error().code() != ErrorCode::kCancelled) return one.status;
  }
  if (!result.applied) return Error(ErrorCode::kInternal, "a replica refused a batch and does not say why");
  stands_ = std::move(bytes);
  marker_ = behind;
  return {};
}

}  // namespace holdfast::composition
