// The changes of a backend in the order in which they took effect, to be read from a position on: what point-in-time
// recovery is built on (service/backup/change_shipper.h).
#pragma once

#include <cstdint>
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
  // Between the request and the acknowledgement, by the clock of the process that wrote or of the server that it wrote
  // to.
  Timestamp at{};
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

inline constexpr std::size_t kMaxPositionBytes = 4096;

// Thread-safe. As long-lived as its backend.
class ChangeHistory {
 public:
  virtual ~ChangeHistory() = default;
  // Of the keys that begin with `prefix`: what lies behind `position`, which an earlier page gave, perhaps to an
  // earlier process; empty: the position of now, and no changes. The page ends when it has `most_bytes` of keys and
  // values. kUnavailable; kCorruption: the history is damaged; kDeadlineExceeded.
  virtual Result<ChangePage> Read(const std::string& position, std::string_view prefix, std::size_t most_bytes,
                                  Deadline deadline) = 0;

  // Of changes of such keys that were read and not released, or not read yet; what is beyond it is a gap. Before the
  // first Read; without it the implementation's own.
  virtual void KeepAtMost(std::string_view /*prefix*/, std::uint64_t /*bytes*/) {}
  // What lies before `position` is safe elsewhere, and nobody reads on from an older one. As far as it can be told.
  virtual void Release(const std::string& /*position*/, Deadline /*deadline*/) {}

  // Whether other processes write to it and read it as well. Then one of them is to read at a time: Claim says whether
  // it is this one, until it ends or yields.
  virtual bool shared() const { return false; }
  virtual Result<bool> Claim(std::string_view /*prefix*/, Deadline /*deadline*/) { return true; }
  virtual void Yield(std::string_view /*prefix*/, Deadline /*deadline*/) {}
};

}  // namespace holdfast::storage
