// Reads that are sent a second time when the first answer is late (Dean and Barroso, "The Tail at Scale", CACM 2013):
// gets and pages of scans. The first of the two answers is given, a failure only when both have failed; the other one
// ends by itself and is ignored. Both begin after the call did, so a strong read stays strong.
//
// Writes, transactions, and batches with a write among them are sent once, whatever happens: a second one would be
// another write. So are counts and deletes of a range.
//
// How many are sent twice is bounded by Guard::hedge_budget, a share of the reads; and a read is not hedged while twice
// HedgeOptions::calls are under way, those among them that nobody waits for any more. Reads go through a thread of the
// wrapper, so they are not inline.
//
// Inside the circuit and the bulkhead: those see one call and the answer that was given.
#pragma once

#include <memory>

#include "service/resilience/guard.h"
#include "service/storage/backend.h"

namespace holdfast::resilience {

// Of a guard with Options::hedge. Destroyed, it waits for the reads that nobody waits for any more.
std::shared_ptr<storage::Backend> MakeHedgedBackend(std::shared_ptr<storage::Backend> backend,
                                                    std::shared_ptr<Guard> guard);

}  // namespace holdfast::resilience
