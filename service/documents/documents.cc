#include "service/documents/documents.h"

#include <fmt/format.h>

#include "service/documents/document.h"
#include "service/documents/rows.h"
#include "service/json/utf8.h"
#include "service/storage/decision.h"

namespace holdfast::documents {
namespace {

using storage::EntryPtr;
using storage::Expiry;
using storage::Operation;
using storage::OperationResult;
using storage::Precondition;

Precondition StillIs(const EntryPtr& entry) {
  return entry ? Precondition::VersionIs(entry->version) : Precondition::Absent();
}

// `keep` as an instant: the rows of an index that is new to the document have no expiry of their own to keep.
Expiry Resolve(const Expiry& expiry, const EntryPtr& before) {
  if (expiry.kind != Expiry::Kind::kKeep) return expiry;
  return ExpiryAt(before ? before->expires_at : std::nullopt);
}

Result<EntryPtr> Read(storage::Backend& rooms, const std::string& key, Deadline deadline) {
  OperationResult read = ExecuteOne(rooms, Operation::Get(key), deadline);
  if (read.status.ok()) return std::move(read.entry);
  if (read.status.error().code() == ErrorCode::kNotFound) return EntryPtr();
  return read.status.error();
}

}  // namespace

struct Documents::Change {
  const std::string* text = nullptr;  // null: the document goes
  const json::JsonValue* document = nullptr;
  Expiry expiry;
};

Expiry ExpiryAt(const std::optional<Timestamp>& expires_at) {
  return expires_at ? Expiry::At(*expires_at) : Expiry::Never();
}

Status Documents::CheckId(std::string_view id) const {
  if (id.empty() || id.size() > max_id_bytes_ || !json::IsValidUtf8(id)) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("the document's id is not 1 to {} bytes of UTF-8 (setting limits.key)", max_id_bytes_));
  }
  return {};
}

Result<OperationResult> Documents::Get(std::string_view id, const Precondition& precondition, Deadline deadline) const {
  HOLDFAST_RETURN_IF_ERROR(CheckId(id));
  HOLDFAST_ASSIGN_OR_RETURN(const Collection collection, Collections(rooms_, limits_).Get(collection_, deadline));
  Operation get = Operation::Get(DocumentKey(collection.definition.number, id));
  get.precondition = precondition;
  OperationResult result = ExecuteOne(*rooms_, get, deadline);
  if (!result.status.ok() && result.status.error().code() == ErrorCode::kNotFound) {
    result.status = Error(ErrorCode::kNotFound, "no such document");
  }
  return result;
}

Result<OperationResult> Documents::Put(std::string_view id, std::string text, const Precondition& precondition,
                                       const Expiry& expiry, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckId(id));
  // What no attempt could write is refused before anything is parsed.
  Operation put = Operation::Put(DocumentKey(0, id), "", {}, expiry);
  if (text.size() > rooms_->limits().max_value_bytes) put.value.swap(text);
  HOLDFAST_RETURN_IF_ERROR(storage::Validate(put, rooms_->limits()));
  HOLDFAST_ASSIGN_OR_RETURN(const json::JsonValue document, ParseDocument(text));
  return Write(id, Change{&text, &document, expiry}, precondition, deadline);
}

Result<OperationResult> Documents::Delete(std::string_view id, const Precondition& precondition, Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(CheckId(id));
  return Write(id, Change{}, precondition, deadline);
}

Result<OperationResult> Documents::Write(std::string_view id, const Change& change, const Precondition& precondition,
                                         Deadline deadline) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (attempt > 0) WaitBefore(attempt, deadline);
    HOLDFAST_ASSIGN_OR_RETURN(const Collection collection, Collections(rooms_, limits_).Get(collection_, deadline));
    const Definition& definition = collection.definition;
    const std::string key = DocumentKey(definition.number, id);
    HOLDFAST_ASSIGN_OR_RETURN(const EntryPtr before, Read(*rooms_, key, deadline));

    OperationResult result;
    result.status = storage::CheckPrecondition(precondition, before.get());
    if (!result.status.ok()) {
      result.version = before ? before->version : 0;
      return result;
    }
    if (!before && change.text == nullptr) {  // nothing to delete
      HOLDFAST_RETURN_IF_ERROR(CheckGuard(*rooms_, guard_, deadline));
      return result;
    }

    json::JsonValue old_document;
    if (before) {
      auto parsed = ParseDocument(before->value);
      if (!parsed.ok()) return Error(ErrorCode::kCorruption, "the stored document cannot be read");
      old_document = std::move(parsed).value();
    }
    const Expiry expiry = Resolve(change.expiry, before);

    storage::Transaction transaction;
    transaction.conditions.push_back({DefinitionKey(collection_), Precondition::VersionIs(collection.version)});
    transaction.conditions.push_back({key, StillIs(before)});
    transaction.then.push_back(change.text != nullptr ? Operation::Put(key, *change.text, {}, expiry)
                                                      : Operation::Delete(key));
    for (const Index& index : definition.indexes) {
      if (index.state == IndexState::kDropping) continue;
      const auto row = [&](const json::JsonValue& document) {
        return IndexRowKey(definition.number, index.number, IndexedValue(index, document), id);
      };
      const std::string old_row = before ? row(old_document) : std::string();
      const std::string new_row = change.document != nullptr ? row(*change.document) : std::string();
      if (!old_row.empty() && old_row != new_row) transaction.then.push_back(Operation::Delete(old_row));
      // A row that is there already is left alone; in an index that is building it may not be there yet.
      const bool same = old_row == new_row && index.state == IndexState::kReady && before && !before->expires_at &&
                        expiry.kind == Expiry::Kind::kNever;
      if (!new_row.empty() && !same) transaction.then.push_back(Operation::Put(new_row, "", {}, expiry));
    }
    AddGuard(guard_, &transaction);
    HOLDFAST_ASSIGN_OR_RETURN(const bool applied, Apply(*rooms_, transaction, deadline, &result));
    if (applied) return result;
  }
  return Error(ErrorCode::kVersionConflict,
               fmt::format("the document was changed by others {} times in a row; nothing was changed, try again",
                           kMaxAttempts));
}

}  // namespace holdfast::documents
