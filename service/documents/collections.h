// The collections of one tenant: making, changing, listing and deleting them. What is left to do afterwards (building
// and dropping indexes, removing documents) is maintenance.h's, in steps that may stop anywhere.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time/deadline.h"
#include "service/documents/definition.h"
#include "service/storage/backend.h"

namespace holdfast::documents {

// What is tried again when others change the same rows at the same moment; then kVersionConflict, and nothing changed.
inline constexpr int kMaxAttempts = 32;
// Waits a moment before the next attempt, longer each time, so that those who collide part ways.
void WaitBefore(int attempt, Deadline deadline);

struct Collection {
  std::string name;
  Definition definition;
  storage::Version version = 0;  // of the definition
};

struct CollectionPage {
  std::vector<Collection> collections;  // by name
  bool complete = false;
};

// Cheap to make. Thread-safe; so is everything else on the same rooms, in this process or another.
class Collections {
 public:
  // `rooms`: TenantView::rooms.
  Collections(std::shared_ptr<storage::Backend> rooms, const CollectionLimits& limits)
      : rooms_(std::move(rooms)), limits_(limits) {}

  // As Documents::Guard, for Define and Delete.
  void Guard(storage::Condition condition) { guard_ = std::move(condition); }

  // kNotFound when there is none of that name.
  Result<Collection> Get(std::string_view name, Deadline deadline) const;
  Result<CollectionPage> List(std::optional<std::string> after, std::size_t limit, Deadline deadline) const;

  struct Put {
    Collection collection;
    bool created = false;
  };
  // Creates it, or changes which paths are indexed. Durable when it returns; indexes may be building then. Of this and
  // Delete: kFenced the guard does not hold; kVersionConflict others changed it kMaxAttempts times in a row.
  Result<Put> Define(std::string_view name, const std::vector<std::string>& paths, Deadline deadline);
  // The collection and its documents are gone when it returns; their rows are removed later. False: there was none.
  Result<bool> Delete(std::string_view name, Deadline deadline);

  // How many documents each index that is building has so far, by its number.
  Result<std::vector<std::pair<std::uint32_t, std::uint64_t>>> Progress(const Collection& collection,
                                                                        Deadline deadline) const;
  Result<std::uint64_t> CountDocuments(const Collection& collection, Deadline deadline) const;

 private:
  Result<bool> TryDefine(std::string_view name, const std::vector<std::string>& paths, Deadline deadline, Put* put);

  const std::shared_ptr<storage::Backend> rooms_;
  const CollectionLimits limits_;
  std::optional<storage::Condition> guard_;
};

// A row of progress (rows.h): documents so far and the last of their ids.
struct BuildProgress {
  std::uint64_t documents = 0;
  std::string last_id;
};
std::string EncodeProgress(const BuildProgress& progress);
Result<BuildProgress> DecodeProgress(std::string_view row);

// Transact whose conditions and operations may fail to hold only because of others: true = applied, false = a
// condition did not hold. Any other failure of an operation is the error.
Result<bool> Apply(storage::Backend& rooms, const storage::Transaction& transaction, Deadline deadline,
                   storage::OperationResult* first = nullptr);

// The guard as the transaction's last operation rather than a condition: its failure is the answer, and no reason to
// try again.
void AddGuard(const std::optional<storage::Condition>& guard, storage::Transaction* transaction);
// The same where nothing is to be written.
Status CheckGuard(storage::Backend& rooms, const std::optional<storage::Condition>& guard, Deadline deadline);

}  // namespace holdfast::documents
