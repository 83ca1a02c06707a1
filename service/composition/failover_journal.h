// The writes that a secondary took while the primary was away, until they are replayed to it. Each stands beside its
// copy in one transaction, so an acknowledged write is in the journal as durably as the secondary acknowledges.
//
// Taken are puts and deletes of plain keys without preconditions: what depends on what stands there could be decided on
// an old copy only, and is refused. One row for a key, that of its last write.
//
// The rule for conflicts: a row is replayed only if the primary's entry still is the one that the copy showed when the
// key was first written here. Otherwise the primary's stands, whatever the order in time was, and the row is kept as a
// conflict, counted and listed. So nothing that the primary acknowledged is overwritten, and nothing that was
// acknowledged here goes without a trace. Replaying twice is harmless: a row whose content is there already is done.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "service/composition/failover_rows.h"
#include "service/composition/secondary_copy.h"
#include "service/composition/secondary_versions.h"
#include "service/storage/failover_status.h"
#include "service/storage/key_locks.h"

namespace holdfast::composition {

struct JournalOptions {
  storage::KeyRange range;                        // of the store's keys
  std::size_t max_entries = 100'000;              // keys that wait; further ones are kUnavailable
  std::chrono::milliseconds call_timeout{5'000};  // of the calls of a replay, to either backend
  std::chrono::hours conflict_ttl{24 * 30};       // how long a conflict is kept
};

// Thread-safe; Replay one at a time, and not beside Take.
class FailoverJournal {
 public:
  // `copy` and `clock` outlive it.
  FailoverJournal(const SecondaryCopy& copy, JournalOptions options, const Clock& clock)
      : copy_(copy), options_(std::move(options)), clock_(clock), versions_(copy.backend(), options_.range, clock) {}

  // Finds what earlier processes left. Before everything else.
  Status Open(Deadline deadline);
  // Whether this is one that can be taken; else kUnavailable.
  static Status MayTake(const storage::Operation& operation);
  // Each of these may be taken. Results are assigned.
  void Take(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
            Deadline deadline);
  // Until the journal is empty. An error leaves the rest for the next time.
  Status Replay(storage::Backend& primary, const std::function<bool()>& stop);

  // The newest last within a key; keys in order.
  Result<storage::FailoverConflicts> Conflicts(const storage::KeyRange& keys, std::size_t most,
                                               Deadline deadline) const;

  std::uint64_t entries() const { return entries_.load(std::memory_order_relaxed); }
  std::uint64_t replayed() const { return replayed_.load(std::memory_order_relaxed); }
  std::uint64_t conflicts() const { return conflicts_.load(std::memory_order_relaxed); }

 private:
  struct Row {
    std::string row_key;
    std::string key;
    JournalRow row;
  };
  struct Known;  // of a key that is written

  // All or none.
  Status TakeSome(std::span<const storage::Operation> operations, std::span<storage::OperationResult> results,
                  Deadline deadline);
  Status Keep(const std::map<std::string, Known, std::less<>>& known, Deadline deadline) const;
  // Reads what stands there of the keys.
  Status Look(std::map<std::string, Known, std::less<>>& known, Deadline deadline) const;
  Result<std::vector<Row>> NextRows() const;
  Status ReplayRows(storage::Backend& primary, const std::vector<Row>& rows);
  Deadline Patience() const { return Deadline::After(options_.call_timeout); }

  const SecondaryCopy& copy_;
  const JournalOptions options_;
  const Clock& clock_;
  storage::KeyLocks locks_;
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> replayed_{0};   // rows that the primary has now, since the start
  std::atomic<std::uint64_t> conflicts_{0};  // rows kept as conflicts, since the start
  SecondaryVersions versions_;
};

}  // namespace holdfast::composition
