// What a store on several replicas says of itself: for its description in the API and for metrics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/storage/failover_status.h"
#include "service/storage/types.h"

namespace holdfast::storage {

struct ReplicaStatus {
  std::string name;                   // of the backend
  std::string standing;               // "up", "catching_up" (it lacks something and is being given it), "away"
  bool leader = false;                // answers scans, and gets first
  Timestamp since{};                  // of `standing`
  std::string reason;                 // why it is not up
  std::uint64_t waiting_batches = 0;  // to be applied there
};

// Of the comparison in the background, since the start but for what is of its last round.
struct ReplicaComparisonStatus {
  bool enabled = false;
  std::uint64_t rounds = 0;      // that compared everything
  std::uint64_t unfinished = 0;  // others
  std::uint64_t keys = 0;        // that were compared
  std::uint64_t mended = 0;      // that were different, and are the same now
  std::uint64_t undecided = 0;   // of the last round: that are different, and nothing says which replica is right
  Timestamp ended{};             // of the last round
  std::string reason;            // why that did not compare everything
};

struct ReplicationStatus {
  std::string mode;  // "quorum", "eventual"
  std::size_t write_quorum = 0;
  std::size_t read_quorum = 0;
  std::uint64_t term = 0;  // rises with every start; 0: too few replicas are there to begin one
  std::string reason;      // why writes or reads are refused; empty: all is well
  std::vector<ReplicaStatus> replicas;
  std::uint64_t in_doubt = 0;     // batches that fewer than write_quorum replicas have, and nobody waits for any more
  std::uint64_t comparisons = 0;  // of a replica with the leader, since the start, as what follows
  std::uint64_t copied = 0;       // rows that a comparison wrote or removed
  std::uint64_t divergences = 0;  // keys of which replicas had something else that should have had the same
  std::uint64_t conflicts = 0;    // writes that a replica had and the store has not
  std::uint64_t leader_changes = 0;
  ReplicaComparisonStatus compare = {};
};

// Thread-safe.
class ReplicationView {
 public:
  virtual ~ReplicationView() = default;
  virtual ReplicationStatus status() const = 0;
  // Writes that one replica had and the quorum had not, and what was repaired.
  virtual Result<FailoverConflicts> Conflicts(const KeyRange& keys, std::size_t most, Deadline deadline) = 0;
  // Nothing is written to any replica any more; before the backends close. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace holdfast::storage
