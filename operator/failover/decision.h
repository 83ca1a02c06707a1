// Whether, and how, to help a PostgreSQL backend to a new primary: a pure function of the facts. Nothing is decided on
// suspicion: the old primary is proven dead (its container has ended) or is made so first, and the lock is cleared only
// for a standby that provably holds every acknowledged write. Whatever cannot be proven is left to Patroni, whose lock
// runs out by itself.
//
// The proof is that of quorums: a commit was acknowledged by W of the N synchronous standbys; with R of them reporting,
// R + W > N makes one of the R a holder of every acknowledged write, and the one that has received most is it.
#pragma once

#include <chrono>
#include <string>

#include "operator/failover/facts.h"

namespace holdfast::failover {

struct Patience {
  // A primary that does not answer, or answers that it does not serve, is left alone for so long.
  std::chrono::milliseconds silent{3'000};
  // Two who take writes: Patroni demotes the one without the lock by itself, usually at once.
  std::chrono::milliseconds rogue{2'000};
  // How much later than Patroni's own loop_wait a renewal of the lock may come.
  std::chrono::milliseconds lock_margin{2'000};
};

enum class Act {
  kNothing,  // the holder of the lock serves, or there is nothing yet to serve
  kWait,     // look again soon: it resolves itself, or time is part of the proof
  kFence,    // end `target`'s container, and see that it has ended
  kPromote,  // clear the lock; `target` is expected to take it
  kRefuse,   // the primary is dead, and nobody provably holds every acknowledged write
};

struct Decision {
  Act act = Act::kNothing;
  std::string target;
  std::string reason;   // CamelCase
  std::string message;  // one sentence
  // A person should know, although nothing is done: the state does not pass in a moment.
  bool lasting = false;
};

Decision Decide(const Facts& facts, const Patience& patience);

}  // namespace holdfast::failover
