#include "service/documents/maintenance.h"

#include <algorithm>

#include "service/documents/collections.h"
#include "service/documents/document.h"
#include "service/documents/documents.h"
#include "service/documents/rows.h"

namespace holdfast::documents {
namespace {

using storage::Condition;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;
using storage::ScanPage;
using storage::Transaction;

Condition StillDefined(const Collection& collection) {
  return {DefinitionKey(collection.name), Precondition::VersionIs(collection.version)};
}

// Whether it was applied is read from the rows by the next step.
Status ApplyIfHeld(storage::Backend& rooms, const Transaction& transaction, Deadline deadline) {
  const auto applied = Apply(rooms, transaction, deadline);
  return applied.ok() ? Status() : Status(applied.error());
}

// Deletes the first rows of a range; false when there were none.
Result<bool> DeleteSome(storage::Backend& rooms, const storage::KeyRange& range, Deadline deadline) {
  storage::ScanRequest request;
  request.range = range;
  request.keys_only = true;
  request.limit = kStepRows;
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, rooms.Scan(request, deadline));
  if (page.entries.empty()) return false;
  std::vector<Operation> deletes;
  for (const storage::KeyedEntry& row : page.entries) deletes.push_back(Operation::Delete(row.key));
  std::vector<OperationResult> results(deletes.size());
  rooms.Execute(deletes, results, deadline);
  for (const OperationResult& result : results) HOLDFAST_RETURN_IF_ERROR(result.status);
  return true;
}

// The definition without the index, or with it ready, and no progress row any more.
Transaction Finish(const Collection& collection, std::uint32_t index, bool keep) {
  Definition after = collection.definition;
  const auto found = std::find_if(after.indexes.begin(), after.indexes.end(),
                                  [&](const Index& candidate) { return candidate.number == index; });
  if (keep) {
    found->state = IndexState::kReady;
  } else {
    after.indexes.erase(found);
  }
  Transaction transaction;
  transaction.conditions.push_back(StillDefined(collection));
  transaction.then.push_back(Operation::Put(DefinitionKey(collection.name), EncodeDefinition(after)));
  transaction.then.push_back(Operation::Delete(ProgressKey(after.number, index)));
  return transaction;
}

// No write has kept the index since the definition says so, and its number never comes back: what stands in its range
// can be deleted without any condition.
Result<bool> Drop(storage::Backend& rooms, const Collection& collection, const Index& index, Deadline deadline) {
  const auto range = IndexRowsOf(collection.definition.number, index.number);
  HOLDFAST_ASSIGN_OR_RETURN(const bool deleted, DeleteSome(rooms, range, deadline));
  if (deleted) return true;
  // When the definition has changed meanwhile, this changes nothing and the next step sees to it.
  HOLDFAST_RETURN_IF_ERROR(ApplyIfHeld(rooms, Finish(collection, index.number, false), deadline));
  return true;
}

Result<std::optional<BuildProgress>> ReadProgress(storage::Backend& rooms, const std::string& key, Deadline deadline) {
  const OperationResult read = ExecuteOne(rooms, Operation::Get(key), deadline);
  if (read.status.ok()) {
    HOLDFAST_ASSIGN_OR_RETURN(BuildProgress progress, DecodeProgress(read.entry->value));
    return std::optional(std::move(progress));
  }
  if (read.status.error().code() == ErrorCode::kNotFound) return std::optional<BuildProgress>();
  return read.status.error();
}

// The row of one document, and the condition that the document still is the one that was read.
Status AddRow(const Collection& collection, const Index& index, const storage::KeyedEntry& row, Transaction* out) {
  const auto document = ParseDocument(row.entry->value);
  if (!document.ok()) return Error(ErrorCode::kCorruption, "a stored document cannot be read");
  out->conditions.push_back({row.key, Precondition::VersionIs(row.entry->version)});
  out->then.push_back(Operation::Put(
      IndexRowKey(collection.definition.number, index.number, IndexedValue(index, *document), DocumentIdOf(row.key)),
      "", {}, ExpiryAt(row.entry->expires_at)));
  return {};
}

Result<bool> StillThere(storage::Backend& rooms, const storage::KeyedEntry& row, Deadline deadline) {
  const OperationResult read = ExecuteOne(rooms, Operation::Get(row.key), deadline);
  if (read.status.ok()) return read.version == row.entry->version;
  if (read.status.error().code() == ErrorCode::kNotFound) return false;
  return read.status.error();
}

Result<bool> Build(storage::Backend& rooms, const Collection& collection, const Index& index, Deadline deadline) {
  const std::uint64_t number = collection.definition.number;
  const std::string progress_key = ProgressKey(number, index.number);
  HOLDFAST_ASSIGN_OR_RETURN(const auto before, ReadProgress(rooms, progress_key, deadline));

  storage::ScanRequest request;
  request.range = DocumentsOf(number);
  request.limit = kStepRows;
  if (before) request.after = DocumentKey(number, before->last_id);
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, rooms.Scan(request, deadline));

  BuildProgress progress = before.value_or(BuildProgress{});
  progress.documents += page.entries.size();
  if (!page.entries.empty()) progress.last_id = DocumentIdOf(page.entries.back().key);
  Transaction whole;
  if (page.complete) {
    whole = Finish(collection, index.number, true);
  } else {
    whole.conditions.push_back(StillDefined(collection));
    whole.then.push_back(Operation::Put(progress_key, EncodeProgress(progress)));
  }
  Transaction rest = whole;
  for (const storage::KeyedEntry& row : page.entries) HOLDFAST_RETURN_IF_ERROR(AddRow(collection, index, row, &whole));
  HOLDFAST_ASSIGN_OR_RETURN(const bool applied, Apply(rooms, whole, deadline));
  if (applied) return true;

  // A document of the page has changed, or the definition. A changed document has its row: whoever wrote it knew of the
  // index. When the definition has changed nothing below applies, and the next step starts afresh.
  for (const storage::KeyedEntry& row : page.entries) {
    Transaction single;
    single.conditions.push_back(StillDefined(collection));
    HOLDFAST_RETURN_IF_ERROR(AddRow(collection, index, row, &single));
    HOLDFAST_ASSIGN_OR_RETURN(const bool added, Apply(rooms, single, deadline));
    if (added) continue;
    HOLDFAST_ASSIGN_OR_RETURN(const bool unchanged, StillThere(rooms, row, deadline));
    if (unchanged) return true;
  }
  HOLDFAST_RETURN_IF_ERROR(ApplyIfHeld(rooms, rest, deadline));
  return true;
}

// Removes some rows of one deleted collection; its mark goes last.
Result<bool> RemoveSome(storage::Backend& rooms, std::uint64_t number, Deadline deadline) {
  for (const storage::KeyRange& range : {DocumentsOf(number), IndexRowsOf(number), ProgressOf(number)}) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool deleted, DeleteSome(rooms, range, deadline));
    if (deleted) return true;
  }
  HOLDFAST_RETURN_IF_ERROR(ExecuteOne(rooms, Operation::Delete(RemovalKey(number)), deadline).status);
  return true;
}

}  // namespace

Result<bool> MaintainCollection(storage::Backend& rooms, std::string_view name, Deadline deadline) {
  const OperationResult read = ExecuteOne(rooms, Operation::Get(DefinitionKey(name)), deadline);
  if (!read.status.ok()) {
    if (read.status.error().code() == ErrorCode::kNotFound) return false;
    return read.status.error();
  }
  HOLDFAST_ASSIGN_OR_RETURN(Definition definition, DecodeDefinition(read.entry->value));
  const Collection collection{std::string(name), std::move(definition), read.version};
  // Dropping first: it makes room for what is built.
  for (const IndexState state : {IndexState::kDropping, IndexState::kBuilding}) {
    for (const Index& index : collection.definition.indexes) {
      if (index.state != state) continue;
      return state == IndexState::kDropping ? Drop(rooms, collection, index, deadline)
                                            : Build(rooms, collection, index, deadline);
    }
  }
  return false;
}

Result<bool> RemoveDeleted(storage::Backend& rooms, Deadline deadline) {
  storage::ScanRequest request;
  request.range = AllRemovals();
  request.keys_only = true;
  request.limit = 1;
  HOLDFAST_ASSIGN_OR_RETURN(const ScanPage page, rooms.Scan(request, deadline));
  if (page.entries.empty()) return false;
  const auto number = RemovedCollectionOf(page.entries.front().key);
  if (!number) return Error(ErrorCode::kCorruption, "the mark of a deleted collection cannot be read");
  return RemoveSome(rooms, *number, deadline);
}

}  // namespace holdfast::documents
