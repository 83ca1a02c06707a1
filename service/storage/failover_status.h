// What a store with a secondary backend says of itself: for its description in the API and for metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct FailoverStatus {
  std::string secondary;  // name of the backend
  std::string mode;       // "read_only", "read_write": what is served from it
  std::string serving;    // "primary", "secondary", "replaying" (reads from the secondary, no writes)
  Timestamp since{};      // of `serving`
  std::string reason;     // why it is not the primary, or why there is no switch; empty: all is well
  bool copy_complete = false;
  std::optional<std::chrono::microseconds> copy_lag;  // how far the copy is behind at most, as of now
  std::uint64_t pending_keys = 0;                     // changed, and not copied yet
  bool comparing = false;                             // changes were missed and are being looked for
  std::uint64_t copied = 0;                           // states of keys, since the start
  std::uint64_t comparisons = 0;                      // of primary and copy, since the start
  std::uint64_t journal_entries = 0;                  // keys written on the secondary that wait for the primary
  std::uint64_t replayed = 0;                         // since the start, as what follows
  std::uint64_t conflicts = 0;
  std::uint64_t refused_writes = 0;
  std::uint64_t switches = 0;  // to the secondary
  std::uint64_t returns = 0;
};

// A write that the secondary acknowledged and the primary did not take.
struct FailoverConflict {
  std::string key;
  EntryPtr entry;    // null: it was a delete
  Version base = 0;  // the version it replaced; 0: there was none
};
struct FailoverConflicts {
  std::vector<FailoverConflict> conflicts;
  bool complete = false;  // there are no more
};

// Thread-safe.
class FailoverView {
 public:
  virtual ~FailoverView() = default;
  virtual FailoverStatus status() const = 0;
  virtual Result<FailoverConflicts> Conflicts(const KeyRange& keys, std::size_t most, Deadline deadline) const = 0;
  // No further switches or copies; before the backends close. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace holdfast::storage
