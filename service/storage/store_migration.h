// What the API shows of a store that moves to another backend, and what it may ask of it (service/dual_write).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::storage {

struct MigrationReport {
  std::string phase;                // idle, dual_write, verifying, verified, reads_switched, cut_over or aborting
  bool pending = false;             // not all instances have come to it yet
  std::string id;                   // of this migration; empty before the first, and once it is cut over
  std::uint64_t total = 0;          // entries when it began, roughly
  std::uint64_t copied = 0;         // keys that the backfill has gone through
  std::uint64_t compared = 0;       // keys that the comparison has gone through
  std::uint64_t differences = 0;    // keys that it found different, and copied
  std::uint64_t missed_writes = 0;  // of this instance, that the target did not take while it was being filled
  std::uint64_t instances = 0;      // that serve the store
};

// Thread-safe.
class StoreMigration {
 public:
  virtual ~StoreMigration() = default;
  // Finds out where it stands, and takes part from then on. Before anything is asked of the store.
  virtual Status Start(Deadline deadline) = 0;
  // Ends taking part: the store is closed then. Idempotent.
  virtual void Stop() = 0;
  // Of all instances; asks the backends.
  virtual Result<MigrationReport> Report(Deadline deadline) = 0;
  // Of this instance, without asking anybody: `phase` and `missed_writes` only.
  virtual MigrationReport Known() const = 0;
  // `action`: start, switch_reads, switch_back, cut_over or abort. Returns when all instances have come to it, or with
  // kUnavailable at the deadline, when it goes on. kFailedPrecondition says what has to come first.
  virtual Status Do(std::string_view action, Deadline deadline) = 0;
};

}  // namespace holdfast::storage
