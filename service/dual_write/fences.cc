#include "service/dual_write/fences.h"

#include <algorithm>

#include "service/dual_write/visible.h"

namespace holdfast::dual_write {

using storage::EntryPtr;
using storage::Operation;
using storage::Precondition;

Result<Fences> Fences::Read(storage::Backend& target, const Rows& rows, Deadline deadline) {
  std::vector<std::string> keys;
  for (std::size_t number = 0; number < kFences; ++number) keys.push_back(rows.Fence(number));
  HOLDFAST_ASSIGN_OR_RETURN(auto entries, ReadEntries(target, keys, deadline));
  return Fences(std::move(entries));
}

bool Fences::All(std::string_view value) const {
  return std::all_of(entries_.begin(), entries_.end(), [&](const EntryPtr& entry) {
    return value.empty() ? entry == nullptr : entry != nullptr && entry->value == value;
  });
}

bool Fences::AnyIs(std::string_view value) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const EntryPtr& entry) { return entry != nullptr && entry->value == value; });
}

Status Fences::Replace(storage::Backend& target, const Rows& rows, const std::string& value, Deadline deadline) const {
  storage::Transaction transaction;
  for (std::size_t number = 0; number < kFences; ++number) {
    const EntryPtr& seen = entries_[number];
    const std::string key = rows.Fence(number);
    transaction.conditions.push_back(
        {key, seen != nullptr ? Precondition::VersionIs(seen->version) : Precondition::Absent()});
    transaction.then.push_back(value.empty() ? Operation::Delete(key) : Operation::Put(key, value));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const storage::TransactionResult result, target.Transact(transaction, deadline));
  if (result.conditions_held && result.applied) return {};
  return Error(ErrorCode::kUnavailable, "another instance changed the fences of the migration meanwhile");
}

}  // namespace holdfast::dual_write
