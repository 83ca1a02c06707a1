// What an operation means, decided apart from where entries are kept: the one place that knows preconditions, expiry,
// increments and what a result says. Pure functions; backends read the current entry, ask, and act.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "service/storage/backend.h"

namespace holdfast::storage {

inline bool IsExpired(const Entry& entry, Timestamp now) {
  return entry.expires_at && *entry.expires_at <= now;
}

enum class Change { kNone, kWrite, kErase };

struct Decision {
  Change change = Change::kNone;
  EntryPtr entry;  // kWrite: what stands under the key from now on
};

// `current` is the live entry or null: an expired one is null. `version` is given to the entry if one is written with
// a new version, so the caller draws it while nobody else can write the key. A touch keeps the version. `result` is
// overwritten. The operation has passed Validate.
Decision Decide(const Operation& operation, const EntryPtr& current, Version version, Timestamp now,
                OperationResult& result);

// The same for a get, which changes nothing; takes the entry over instead of counting another reference.
void DecideGet(const Operation& operation, EntryPtr current, OperationResult& result);

// kAlreadyExists or kVersionConflict when it does not hold.
Status CheckPrecondition(const Precondition& precondition, const Entry* current);

struct TransactionDecision {
  TransactionResult result;
  // What is to be written, by key; null erases. Empty unless result.applied.
  std::map<std::string, EntryPtr, std::less<>> changes;
};

// Decides conditions and the chosen branch; operations see the ones before them. The branch fails when an operation
// is not ok, save a get that finds nothing, which is an answer; the other operations are then kCancelled. `read` gives
// the live entry or null and is asked once per key; its error ends the transaction. The transaction has passed
// Validate.
Result<TransactionDecision> DecideTransaction(const Transaction& transaction,
                                              const std::function<Result<EntryPtr>(const std::string& key)>& read,
                                              const std::function<Version()>& next_version, Timestamp now);

}  // namespace holdfast::storage
