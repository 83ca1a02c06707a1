// The changes of a backend in the order in which they took effect, to be read from a position on: what point-in-time
// recovery is built on (service/backup/change_shipper.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "base/time/deadline.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct KeyChange {
  std::string key;
  Timestamp at{};  // by the clock of the process that wrote, between the decision and the acknowledgement
  EntryPtr entry;  // what stands there since; null: nothing
};

struct ChangePage {
  // Each key's in their order, and no time lies before the one in front of it. What was written together stands on one
  // page.
  std::vector<KeyChange> changes;
  std::string position;  // behind them; opaque, printable, of at most kMaxPositionBytes
  // Everything that was acknowledged up to then lies before `position`, and all of it is durable.
  Timestamp until{};
  bool complete = false;     // it is all there was when the call began
  std::uint64_t passed = 0;  // bytes of history that were read for it, other keys' included
  // Not empty: why what lies behind the position that was asked for cannot be told. Then there are no changes, and
  // `position` is that of now.
  std::string gap;
};

inline constexpr std::size_t kMaxPositionBytes = 200;

// Thread-safe. As long-lived as its backend.
class ChangeHistory {
 public:
  virtual ~ChangeHistory() = default;
  // Of the keys that begin with `prefix`: what lies behind `position`, which an earlier page gave, perhaps to an
  // earlier process; empty: the position of now, and no changes. The page ends when it has `most_bytes` of keys and
  // values. kUnavailable; kCorruption: the history is damaged; kDeadlineExceeded.
  virtual Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                  Deadline deadline) = 0;
};

}  // namespace holdfast::storage
