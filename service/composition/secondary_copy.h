// The copy of a store's entries that its secondary backend keeps: asked while the primary is away, written while it is
// there. As old as its last write; whoever asks knows (copier.h).
//
// Answers have the versions and times of the primary. Scans leave nothing out for their filter, which is evaluated by
// who asks. Rows that are no copies are kCorruption.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/backend.h"
#include "service/storage/failover_status.h"

namespace holdfast::composition {

// Thread-safe.
class SecondaryCopy {
 public:
  explicit SecondaryCopy(std::shared_ptr<storage::Backend> secondary) : secondary_(std::move(secondary)) {}

  void Get(std::span<const storage::Operation> gets, std::span<storage::OperationResult> results,
           Deadline deadline) const;
  Result<storage::ScanPage> Scan(const storage::ScanRequest& request, Deadline deadline) const;
  Result<std::uint64_t> Count(const storage::KeyRange& range, Deadline deadline) const;

  struct New {
    std::string key;
    storage::EntryPtr entry;  // null: there is none any more
  };
  // All are kept, or an error; then some may be.
  Status Write(std::span<const New> copies, Deadline deadline) const;
  // What writes one of them.
  static storage::Operation WriteOf(const New& copy);

  storage::Backend& backend() const { return *secondary_; }

 private:
  const std::shared_ptr<storage::Backend> secondary_;
};

// The conflicts that stand beside the copies.
Result<storage::FailoverConflicts> ReadConflicts(storage::Backend& backend, const storage::KeyRange& keys,
                                                 std::size_t most, Deadline deadline);

// The first error among them.
Status FirstError(std::span<const storage::OperationResult> results);

}  // namespace holdfast::composition
