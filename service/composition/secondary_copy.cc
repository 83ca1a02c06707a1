#include "service/composition/secondary_copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "service/composition/failover_rows.h"
#include "service/storage/decision.h"

namespace holdfast::composition {

using storage::EntryPtr;
using storage::KeyedEntry;
using storage::Operation;
using storage::OperationResult;

namespace {

Error Damaged() {
  return {ErrorCode::kCorruption,
          "a copy in the secondary backend cannot be read; it is written anew when the primary "
          "is back and this process has started again"};
}

storage::ScanRequest RequestOf(const storage::ScanRequest& request) {
  storage::ScanRequest wrapped;
  wrapped.range = FailoverRange(FailoverRow::kCopy, request.range);
  wrapped.descending = request.descending;
  wrapped.limit = request.limit;
  if (request.after) wrapped.after = FailoverKey(FailoverRow::kCopy, *request.after);
  return wrapped;
}

EntryPtr WithoutValue(const EntryPtr& entry) {
  auto bare = std::make_shared<storage::Entry>();
  bare->version = entry->version;
  bare->created_at = entry->created_at;
  bare->updated_at = entry->updated_at;
  bare->expires_at = entry->expires_at;
  bare->content_type = entry->content_type;
  bare->metadata = entry->metadata;
  bare->tags = entry->tags;
  return bare;
}

}  // namespace

Status FirstError(std::span<const OperationResult> results) {
  const auto failed =
      std::find_if(results.begin(), results.end(), [](const OperationResult& result) { return !result.status.ok(); });
  return failed == results.end() ? Status() : failed->status;
}

void SecondaryCopy::Get(std::span<const Operation> gets, std::span<OperationResult> results, Deadline deadline) const {
  std::vector<Operation> wrapped;
  wrapped.reserve(gets.size());
  for (const Operation& get : gets) wrapped.push_back(Operation::Get(FailoverKey(FailoverRow::kCopy, get.key)));
  std::vector<OperationResult> found(wrapped.size());
  secondary_->Execute(wrapped, found, deadline);
  for (std::size_t i = 0; i < gets.size(); ++i) {
    results[i] = OperationResult{};
    const bool absent = !found[i].status.ok() && found[i].status.error().code() == ErrorCode::kNotFound;
    if (!found[i].status.ok() && !absent) {
      results[i].status = std::move(found[i].status);
      continue;
    }
    EntryPtr entry = absent ? nullptr : DecodeFailoverCopy(found[i].entry->value);
    if (!absent && entry == nullptr) {
      results[i].status = Damaged();
    } else {
      storage::DecideGet(gets[i], std::move(entry), results[i]);
    }
  }
}

Result<storage::ScanPage> SecondaryCopy::Scan(const storage::ScanRequest& request, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(storage::Validate(request));
  HOLDFAST_ASSIGN_OR_RETURN(storage::ScanPage page, secondary_->Scan(RequestOf(request), deadline));
  for (KeyedEntry& row : page.entries) {
    auto key = KeyOfRow(FailoverRow::kCopy, row.key);
    EntryPtr entry = DecodeFailoverCopy(row.entry->value);
    if (!key || entry == nullptr) return Damaged();
    const std::size_t bytes = entry->value.size();
    row = KeyedEntry{*std::move(key), request.keys_only ? WithoutValue(entry) : std::move(entry), bytes};
  }
  return page;
}

Result<std::uint64_t> SecondaryCopy::Count(const storage::KeyRange& range, Deadline deadline) const {
  return secondary_->Count(FailoverRange(FailoverRow::kCopy, range), deadline);
}

Operation SecondaryCopy::WriteOf(const New& copy) {
  std::string key = FailoverKey(FailoverRow::kCopy, copy.key);
  if (copy.entry == nullptr) return Operation::Delete(std::move(key));
  const auto expiry = copy.entry->expires_at ? storage::Expiry::At(*copy.entry->expires_at) : storage::Expiry::Never();
  return Operation::Put(std::move(key), EncodeFailoverCopy(*copy.entry), {}, expiry);
}

Status SecondaryCopy::Write(std::span<const New> copies, Deadline deadline) const {
  if (copies.empty()) return {};
  std::vector<Operation> operations;
  operations.reserve(copies.size());
  for (const New& copy : copies) operations.push_back(WriteOf(copy));
  std::vector<OperationResult> results(operations.size());
  secondary_->Execute(operations, results, deadline);
  return FirstError(results);
}

Result<storage::FailoverConflicts> ReadConflicts(storage::Backend& backend, const storage::KeyRange& keys,
                                                 std::size_t most, Deadline deadline) {
  storage::ScanRequest request;
  request.range = FailoverRange(FailoverRow::kConflict, keys);
  request.limit = most;
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, backend.Scan(request, deadline));
  storage::FailoverConflicts found;
  found.complete = page.complete;
  for (const KeyedEntry& row : page.entries) {
    auto key = KeyOfConflict(row.key);
    auto conflict = DecodeJournalRow(row.entry->value);
    if (!key || !conflict) return Error(ErrorCode::kCorruption, "a conflict that was kept is damaged");
    found.conflicts.push_back({*std::move(key), std::move(conflict->entry), conflict->base});
  }
  return found;
}

}  // namespace holdfast::composition
