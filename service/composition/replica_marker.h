// The row of a replica that says what it has: docs/formats/replica-rows.md. Written in the same transaction as the rows
// that it speaks of, so it is never ahead of them and never behind.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result/result.h"
#include "service/storage/types.h"

namespace holdfast::composition {

// What a replica has is the outcome of all batches up to one. Batches are numbered; a term is what one process decides
// between its start and its end. (As currentTerm, lastLogTerm and lastLogIndex of Raft, Ongaro and Ousterhout 2014.)
struct ReplicaMarker {
  std::uint64_t promised = 0;    // the newest term it has heard of; it takes nothing from an older one
  std::uint64_t term = 0;        // of its last batch
  std::uint64_t sequence = 0;    // its last batch
  storage::Version version = 0;  // no row that a batch up to this one wrote has a higher one
  bool complete = true;          // false: it is being made a copy, and is of no use until that has ended

  bool operator==(const ReplicaMarker&) const = default;
  std::string Encode() const;
  static std::optional<ReplicaMarker> Decode(std::string_view text);
};

// Of the store's replicas, each in its own backend. No client and no other store can name it.
std::string MarkerKey(std::string_view store);

struct ReplicaQuorums {
  std::size_t replicas = 3;
  std::size_t write = 2;
  std::size_t read = 2;
  bool eventual = false;  // write and read need not meet
};

// Nothing where it could not be asked; a marker that is nothing: it has never been a replica.
using SeenMarker = std::optional<std::optional<ReplicaMarker>>;

// With what a term begins.
struct TermPlan {
  std::uint64_t term = 0;
  std::size_t source = 0;           // has everything that was acknowledged
  std::vector<ReplicaMarker> has;   // what is in each replica; incomplete where that is of no use
  std::size_t promises_needed = 0;  // of replicas, before anything else
  bool SameAsSource(std::size_t replica) const;
};

// kUnavailable when too few were seen to know what was acknowledged. Pure.
//
// What was acknowledged is in at least `write` complete replicas, so in one of any `read`: the one of these with the
// newest term, and in it the last batch, has all of it, and so has the next one if all that could know more are seen. A
// replica without a marker has lost its volume, or is new: it
// does not count, unless the whole store is new, which all of its replicas have to say.
Result<TermPlan> PlanTerm(std::span<const SeenMarker> seen, const ReplicaQuorums& quorums);

}  // namespace holdfast::composition
