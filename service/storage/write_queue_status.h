// What a store says of the writes that it has acknowledged and its system of record has not: for its description in
// the API and for metrics.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/failover_status.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct WriteQueueStatus {
  std::string mode;             // "behind", "back"; "through": nothing new is queued
  bool versions_final = false;  // Capabilities::versions_final
  std::uint64_t entries = 0;    // writes that wait, as what follows
  std::uint64_t bytes = 0;
  std::chrono::microseconds oldest{};  // how long the oldest has waited; 0: none does
  bool away = false;                   // the system of record did not take what it was last brought
  std::string reason;                  // why
  std::uint64_t drained = 0;           // since the start, as what follows
  std::uint64_t coalesced = 0;         // writes that a later one of their key took the place of (back)
  std::uint64_t conflicts = 0;         // writes that lost against what somebody else had written
  std::uint64_t retries = 0;           // attempts to bring something that failed
  std::uint64_t refused = 0;           // writes for which there was no room
};

// Thread-safe.
class WriteQueueView {
 public:
  virtual ~WriteQueueView() = default;
  virtual WriteQueueStatus status() const = 0;
  virtual Result<FailoverConflicts> Conflicts(const KeyRange& keys, std::size_t most, Deadline deadline) const = 0;
  // Loads what an earlier process left and begins to bring it. Once, before anything is asked of the store.
  virtual Status Start(Deadline deadline) = 0;
  // Brings what waits until the deadline; the rest stays for the next start. Nothing is brought any more afterwards;
  // before the backends close, and when the store is asked no more. Idempotent.
  virtual void Stop(Deadline deadline) = 0;
};

}  // namespace holdfast::storage
