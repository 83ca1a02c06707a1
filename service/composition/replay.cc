#include "service/composition/replay.h"

#include <utility>

namespace holdfast::composition {

using storage::EntryPtr;
using storage::Expiry;
using storage::Operation;
using storage::OperationResult;

bool IsCode(const Status& status, ErrorCode code) {
  return !status.ok() && status.error().code() == code;
}

bool WasRefused(const Status& status) {
  return IsCode(status, ErrorCode::kVersionConflict) || IsCode(status, ErrorCode::kAlreadyExists);
}

bool SameContent(const EntryPtr& left, const EntryPtr& right) {
  if (left == nullptr || right == nullptr) return left == right;
  return left->value == right->value && left->content_type == right->content_type &&
         left->metadata == right->metadata && left->tags == right->tags && left->expires_at == right->expires_at;
}

Operation WriteOf(const std::string& key, const EntryPtr& entry, storage::Precondition precondition) {
  if (entry == nullptr) return Operation::Delete(key, std::move(precondition));
  Operation put = Operation::Put(key, entry->value, std::move(precondition),
                                 entry->expires_at ? Expiry::At(*entry->expires_at) : Expiry::Never());
  put.content_type = entry->content_type;
  put.metadata = entry->metadata;
  put.tags = entry->tags;
  return put;
}

Result<std::vector<EntryPtr>> ReadThere(storage::Backend& backend, std::span<const Operation> of, Deadline deadline) {
  std::vector<Operation> gets;
  gets.reserve(of.size());
  for (const Operation& operation : of) gets.push_back(Operation::Get(operation.key));
  std::vector<OperationResult> results(gets.size());
  backend.Execute(gets, results, deadline);
  std::vector<EntryPtr> entries;
  entries.reserve(results.size());
  for (OperationResult& result : results) {
    if (!result.status.ok() && !IsCode(result.status, ErrorCode::kNotFound)) return Error(result.status.error());
    entries.push_back(std::move(result.entry));
  }
  return entries;
}

}  // namespace holdfast::composition
