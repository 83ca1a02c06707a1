// Reads of a target while the source still decides: clients see the versions and times of the source, which the marks
// have, since it is those that their preconditions are held against.
//
// An entry and its mark are written in one transaction, and read in one call that is none. A pair that does not belong
// together (the fingerprint tells) is read once more in a transaction.
#pragma once

#include <span>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/rows.h"
#include "service/storage/backend.h"

namespace holdfast::dual_write {

// Thread-safe.
class TargetReader {
 public:
  // Both outlive it.
  TargetReader(storage::Backend& target, const Rows& rows) : target_(target), rows_(rows) {}

  // Gets only.
  void Read(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results,
            Deadline deadline) const;
  // A filter is left to the caller: what it says of versions and times is not what the target has.
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) const;

 private:
  // As the source had it; null = nothing.
  Result<storage::EntryPtr> ReadPair(const std::string& key, Deadline deadline) const;

  storage::Backend& target_;
  const Rows& rows_;
};

}  // namespace holdfast::dual_write
