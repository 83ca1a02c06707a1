// The documents of one collection: reading and writing single ones. A document and its index rows change in one
// transaction, on the condition that neither the document nor the collection's definition has changed since they were
// read; docs/formats/documents.md says why that is enough.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/documents/collections.h"

namespace holdfast::documents {

// Cheap to make. Thread-safe.
class Documents {
 public:
  // `rooms`: TenantView::rooms. `max_id_bytes`: what clients' keys are held to.
  Documents(std::shared_ptr<storage::Backend> rooms, std::string collection, const CollectionLimits& limits,
            std::size_t max_id_bytes)
      : rooms_(std::move(rooms)), collection_(std::move(collection)), limits_(limits), max_id_bytes_(max_id_bytes) {}

  // From now on every write takes effect only while this holds, checked in the same transaction; its error is the
  // result's otherwise. For fencing: storage::Precondition::NotFenced.
  void Guard(storage::Condition condition) { guard_ = std::move(condition); }

  // What a single-key operation gives (storage::OperationResult): the entry's value is the document's text, its version
  // the ETag. A failed precondition is in the result's status, with the current version.
  // Errors: kNotFound there is no such collection; kInvalidArgument id or document; kFenced the guard does not hold;
  // kVersionConflict others wrote the same rows kMaxAttempts times in a row. Nothing was changed then.
  Result<storage::OperationResult> Get(std::string_view id, const storage::Precondition& precondition,
                                       Deadline deadline) const;
  // One JSON object; stored as it was given. Expiry as for keys: the index rows expire with the document.
  Result<storage::OperationResult> Put(std::string_view id, std::string text, const storage::Precondition& precondition,
                                       const storage::Expiry& expiry, Deadline deadline);
  // Deleting what is absent is ok.
  Result<storage::OperationResult> Delete(std::string_view id, const storage::Precondition& precondition,
                                          Deadline deadline);

 private:
  struct Change;  // what is to be written, if the document still is what it was
  Status CheckId(std::string_view id) const;
  Result<storage::OperationResult> Write(std::string_view id, const Change& change,
                                         const storage::Precondition& precondition, Deadline deadline);

  const std::shared_ptr<storage::Backend> rooms_;
  const std::string collection_;
  const CollectionLimits limits_;
  const std::size_t max_id_bytes_;
  std::optional<storage::Condition> guard_;
};

// What the rows of a document that expires then are given; none: they never do.
storage::Expiry ExpiryAt(const std::optional<Timestamp>& expires_at);

}  // namespace holdfast::documents
