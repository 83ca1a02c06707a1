// Makes a target's copies of single keys what the source has. Any number of mirrors, in any number of processes, may be
// at the same key.
//
// A copy reads, in this order: the key's mark in the target, the key in the source; then it writes entry and mark in
// one transaction of the target that holds only if the mark is still the one that was read. So when two copy at once,
// the one that wrote last has read the source last: the target never goes back, and nothing that was deleted returns.
// The mark of a deleted key stays (a tombstone) until the migration is over, since that is what refuses a late copy.
//
// Whoever copies a key after having written it to the source, and is told ok, knows: the target has that write or a
// later one, and no copy that was begun before can take it away.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/dual_write/rows.h"
#include "service/storage/backend.h"

namespace holdfast::dual_write {

// A key to copy.
struct Task {
  std::string key;
  // Of an intent that is kept no longer once the key is copied; empty: none.
  std::string intent;
};

// Thread-safe.
class Mirror {
 public:
  // All outlive it.
  Mirror(storage::Backend& source, storage::Backend& target, const Rows& rows)
      : source_(source), target_(target), rows_(rows) {}

  // Copies keys, each once, for the migration `id`: all in one transaction when they are no more than
  // KeysPerTransaction, as many at a time otherwise. kUnavailable when the migration is over. After any error some may
  // be copied; it is safe to repeat.
  Status Copy(std::span<const Task> tasks, const std::string& id, Deadline deadline) const;
  // The same for keys of which the target has something else than the source; returns how many.
  Result<std::uint64_t> Repair(std::span<const Task> tasks, const std::string& id, Deadline deadline) const;

 private:
  struct Seen;
  enum class Which { kAll, kDifferent };

  Result<std::uint64_t> Do(std::span<const Task> tasks, const std::string& id, Which which, Deadline deadline) const;
  Result<std::uint64_t> DoChunk(std::span<const Task> tasks, const std::string& id, Which which,
                                Deadline deadline) const;
  Result<Seen> Look(std::span<const Task> tasks, Which which, Deadline deadline) const;

  storage::Backend& source_;
  storage::Backend& target_;
  const Rows& rows_;
};

}  // namespace holdfast::dual_write
