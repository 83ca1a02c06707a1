#include "service/documents/collections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <thread>

#include "service/documents/rows.h"

namespace holdfast::documents {
namespace {

using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

Error Contended(std::string_view what) {
  return {
      ErrorCode::kVersionConflict,
      fmt::format("{} was changed by others {} times in a row; nothing was changed, try again", what, kMaxAttempts)};
}

Result<Collection> FromRow(std::string_view name, const storage::Entry& entry) {
  auto definition = DecodeDefinition(entry.value);
  if (!definition.ok()) return std::move(definition).error().WithContext(fmt::format("collection {}", name));
  return Collection{std::string(name), std::move(definition).value(), entry.version};
}

}  // namespace

void WaitBefore(int attempt, Deadline deadline) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto most = std::chrono::microseconds{20} * (1 << std::min(attempt, 8));
  const std::chrono::microseconds wait{static_cast<std::int64_t>(random()) % most.count()};
  std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(wait, deadline.Remaining()));
}

Result<bool> Apply(storage::Backend& rooms, const storage::Transaction& transaction, Deadline deadline,
                   OperationResult* first) {
  auto result = rooms.Transact(transaction, deadline);
  if (!result.ok()) {
    // The backend gave up after its own attempts: nothing was changed.
    if (result.error().code() == ErrorCode::kVersionConflict) return false;
    return std::move(result).error();
  }
  if (!result->conditions_held) return false;
  if (!result->applied) {
    for (const OperationResult& operation : result->results) {
      if (!operation.status.ok() && operation.status.error().code() != ErrorCode::kCancelled) {
        return operation.status.error();
      }
    }
    return Error(ErrorCode::kInternal, "a transaction was not applied and says not why");
  }
  if (first != nullptr && !result->results.empty()) *first = std::move(result->results.front());
  return true;
}

void AddGuard(const std::optional<storage::Condition>& guard, storage::Transaction* transaction) {
  if (!guard) return;
  Operation check = Operation::Get(guard->key);
  check.precondition = guard->precondition;
  transaction->then.push_back(std::move(check));
}

Status CheckGuard(storage::Backend& rooms, const std::optional<storage::Condition>& guard, Deadline deadline) {
  if (!guard) return {};
  storage::Transaction look;
  AddGuard(guard, &look);
  const auto applied = Apply(rooms, look, deadline);
  return applied.ok() ? Status() : Status(applied.error());
}

std::string EncodeProgress(const BuildProgress& progress) {
  return fmt::format("{} {}", progress.documents, progress.last_id);
}

Result<BuildProgress> DecodeProgress(std::string_view row) {
  BuildProgress progress;
  const char* const end = row.data() + row.size();
  const auto [parsed, error] = std::from_chars(row.data(), end, progress.documents);
  if (error != std::errc() || parsed == end || *parsed != ' ') {
    return Error(ErrorCode::kCorruption, "how far an index is built cannot be read; drop the index and add it again");
  }
  progress.last_id.assign(parsed + 1, end);
  return progress;
}

Result<Collection> Collections::Get(std::string_view name, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(CheckCollectionName(name));
  const OperationResult read = ExecuteOne(*rooms_, Operation::Get(DefinitionKey(name)), deadline);
  if (read.status.ok()) return FromRow(name, *read.entry);
  if (read.status.error().code() != ErrorCode::kNotFound) return read.status.error();
  return Error(ErrorCode::kNotFound,
               fmt::format("there is no collection \"{}\"; create it with PUT and the paths to index", name));
}

Result<CollectionPage> Collections::List(std::optional<std::string> after, std::size_t limit, Deadline deadline) const {
  storage::ScanRequest request;
  request.range = AllDefinitions();
  request.limit = limit;
  if (after) request.after = DefinitionKey(*after);
  HOLDFAST_ASSIGN_OR_RETURN(const storage::ScanPage page, rooms_->Scan(request, deadline));
  CollectionPage found;
  found.complete = page.complete;
  for (const storage::KeyedEntry& row : page.entries) {
    HOLDFAST_ASSIGN_OR_RETURN(Collection collection, FromRow(CollectionOf(row.key), *row.entry));
    found.collections.push_back(std::move(collection));
  }
  return found;
}

Result<Collections::Put> Collections::Define(std::string_view name, const std::vector<std::string>& paths,
                                             Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckCollectionName(name));
  HOLDFAST_RETURN_IF_ERROR(CheckIndexPaths(paths, limits_));
  Put put;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (attempt > 0) WaitBefore(attempt, deadline);
    HOLDFAST_ASSIGN_OR_RETURN(const bool done, TryDefine(name, paths, deadline, &put));
    if (done) return put;
  }
  return Contended("the collection");
}

Result<bool> Collections::TryDefine(std::string_view name, const std::vector<std::string>& paths, Deadline deadline,
                                    Put* put) {
  const std::string key = DefinitionKey(name);
  auto before = Get(name, deadline);
  if (!before.ok() && before.error().code() != ErrorCode::kNotFound) return std::move(before).error();

  Precondition unchanged = Precondition::Absent();
  if (before.ok()) {
    unchanged = Precondition::VersionIs(before->version);
    put->collection = std::move(before).value();
    Definition after = WithIndexes(put->collection.definition, paths, false, limits_);
    if (after == put->collection.definition) {
      HOLDFAST_RETURN_IF_ERROR(CheckGuard(*rooms_, guard_, deadline));
      return true;
    }
    put->collection.definition = std::move(after);
  } else {
    // A number that is drawn and not used is no loss.
    const OperationResult number = ExecuteOne(*rooms_, Operation::Increment(NextCollectionKey(), 1), deadline);
    if (!number.status.ok()) return number.status.error();
    Definition fresh;
    fresh.number = static_cast<std::uint64_t>(number.number);
    put->collection = {std::string(name), WithIndexes(fresh, paths, true, limits_), 0};
  }
  put->created = unchanged.kind == Precondition::Kind::kAbsent;

  storage::Transaction transaction;
  transaction.conditions.push_back({key, unchanged});
  transaction.then.push_back(Operation::Put(key, EncodeDefinition(put->collection.definition)));
  AddGuard(guard_, &transaction);
  OperationResult written;
  HOLDFAST_ASSIGN_OR_RETURN(const bool applied, Apply(*rooms_, transaction, deadline, &written));
  put->collection.version = written.version;
  return applied;
}

Result<bool> Collections::Delete(std::string_view name, Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (attempt > 0) WaitBefore(attempt, deadline);
    auto collection = Get(name, deadline);
    if (!collection.ok()) {
      if (collection.error().code() != ErrorCode::kNotFound) return std::move(collection).error();
      HOLDFAST_RETURN_IF_ERROR(CheckGuard(*rooms_, guard_, deadline));
      return false;
    }
    storage::Transaction transaction;
    transaction.conditions.push_back({DefinitionKey(name), Precondition::VersionIs(collection->version)});
    transaction.then.push_back(Operation::Delete(DefinitionKey(name)));
    transaction.then.push_back(Operation::Put(RemovalKey(collection->definition.number), ""));
    AddGuard(guard_, &transaction);
    HOLDFAST_ASSIGN_OR_RETURN(const bool applied, Apply(*rooms_, transaction, deadline));
    if (applied) return true;
  }
  return Contended("the collection");
}

Result<std::vector<std::pair<std::uint32_t, std::uint64_t>>> Collections::Progress(const Collection& collection,
                                                                                   Deadline deadline) const {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> progress;
  for (const Index& index : collection.definition.indexes) {
    if (index.state != IndexState::kBuilding) continue;
    const std::string key = ProgressKey(collection.definition.number, index.number);
    const OperationResult read = ExecuteOne(*rooms_, Operation::Get(key), deadline);
    if (!read.status.ok() && read.status.error().code() != ErrorCode::kNotFound) return read.status.error();
    BuildProgress built;
    if (read.status.ok()) {
      HOLDFAST_ASSIGN_OR_RETURN(built, DecodeProgress(read.entry->value));
    }
    progress.emplace_back(index.number, built.documents);
  }
  return progress;
}

Result<std::uint64_t> Collections::CountDocuments(const Collection& collection, Deadline deadline) const {
  return rooms_->Count(DocumentsOf(collection.definition.number), deadline);
}

}  // namespace holdfast::documents
