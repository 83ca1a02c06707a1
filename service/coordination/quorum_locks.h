// Locks on a majority of N independent servers: Redlock
// (redis.io/docs/latest/develop/clients/patterns/distributed-locks, Sanfilippo), with fencing tokens, which it lacks
// (Kleppmann, "How to do distributed locking", 2016). A failover of the store's own backend, or the loss of a minority
// of the servers, frees no lock that is held.
//
// A lock is held by the lease whose row stands on a majority. It is granted in three steps, all servers asked at once:
// look at the rows; write the row and the token where the lock is free, on the condition that nothing has changed;
// with a majority, record both in the store's own backend, where fenced writes are checked and observers listen. The
// grant is valid for the TTL less the time that this took and less a margin for clocks that run at different speeds;
// when nothing is left of it, or there is no majority, the rows are taken back and a random delay follows.
//
// Tokens: a server that grants had its fence lifted to the token in the same transaction, and grants only above it. Two
// majorities have a server in common, so the later token is the greater one, whatever the clocks say; recording it in
// the store's backend fails below the newest one there, so that it also outlives all of the servers. Whether a stale
// token is refused for ever is up to that backend (capabilities().fencing_survives_failover), since it is checked
// there.
//
// Servers that a release does not reach keep the row. It is removed by the next who sees that a majority has a newer
// token, which a lease of that row cannot have outlived; until then the row counts as one vote, at most until its TTL.
//
// Servers that lose data: what a server acknowledged has to survive its crash (durable_ack), or it might come back
// without a lock that it granted. One that comes back empty lacks the row that says it is a member; it joins anew and
// grants nothing for max_ttl, the longest that any lock it may have forgotten lasts ("delayed restart"). Founding takes
// all N at once, none of them a member. When all have lost their data at once they are founded anew, and what was held
// is forgotten; tokens still rise.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/coordination/locks.h"

namespace holdfast::coordination {

struct QuorumOptions {
  // One call to one server; it should be small beside the TTLs in use. A server that is silent costs each step so long.
  std::chrono::microseconds master_timeout = std::chrono::milliseconds{200};
  std::chrono::microseconds max_ttl = std::chrono::minutes{5};
  // Taken off each grant: the speed of two clocks may differ by so much.
  int drift_percent = 1;
  std::chrono::microseconds drift = std::chrono::milliseconds{2};
  // Before another attempt where several asked at once and nobody had a majority: random, at first up to so long.
  std::chrono::microseconds retry_delay = std::chrono::milliseconds{50};
  // 0: a majority. Anything less is no lock; for tests that have to find that out.
  std::size_t quorum = 0;
};

using NamedMasters = std::vector<std::pair<std::string, std::shared_ptr<storage::Backend>>>;

// `store` names the rows; `clock` outlives it. The masters are asked by threads of its own until it goes. Errors beside
// those of a backend: kUnavailable, which says who did not answer, when a majority cannot be asked, or when too many
// servers have joined anew and rest; kOutcomeUnknown when what an acquire wrote may stand on a majority.
std::shared_ptr<Locks> MakeQuorumLocks(std::string_view store, const NamedMasters& masters,
                                       const QuorumOptions& options, const Clock& clock);

}  // namespace holdfast::coordination
