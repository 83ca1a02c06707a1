// The background comparison of a store's replicas: what no read comes by is found as well when a disk, or somebody,
// has changed it behind the store's back.
//
// A round compares every replica that is up with the leader, a page of rows at a time by the hash of what both have
// there (dual_write/comparison.h), within a rate. Pages are read beside writers and prove nothing: what differs is
// asked for again under the locks of its keys, when all replicas have applied everything, and only then mended. Whoever
// mends is refused by the replicas when another process has begun a term on them, like every other write.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "service/composition/replica_group.h"
#include "service/storage/periodic_task.h"

namespace holdfast::composition {

// Of keys that were looked at again.
struct MendedKeys {
  std::uint64_t different = 0;  // of which the replicas have not the same
  std::uint64_t mended = 0;     // the rest is undecided: nothing says which replica is right
};

// Thread-safe.
class ReplicaPatrol {
 public:
  // Mends what the replicas have under these keys. What is younger than the version is left for the next round.
  using Mend = std::function<Result<MendedKeys>(const std::vector<std::string>& keys, storage::Version until)>;

  // All outlive it. `options`: those of the group.
  ReplicaPatrol(ReplicaGroup& group, const ReplicaOptions& options, Mend mend, const Clock& clock);
  ~ReplicaPatrol() { Stop(); }

  // A round after each compare_interval; none when that is 0.
  void Start();
  // Ends a round under way. Idempotent.
  void Stop();
  // One round, by whoever asks. Not beside another one.
  void RunRound();
  storage::ReplicaComparisonStatus status() const;

 private:
  struct Round {
    std::uint64_t keys = 0;
    MendedKeys found = {};
  };
  Status Compare(std::size_t leader, std::size_t replica, Round* round);
  Status Look(const std::vector<std::string>& rows, storage::Version until, Round* round);
  // False when it was stopped.
  bool Pause(std::uint64_t keys);
  Deadline Patience() const { return Deadline::After(options_.call_timeout); }

  ReplicaGroup& group_;
  const ReplicaOptions options_;
  const Mend mend_;
  const Clock& clock_;
  std::optional<storage::PeriodicTask> task_;

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_, as what follows
  storage::ReplicaComparisonStatus status_;
};

}  // namespace holdfast::composition
