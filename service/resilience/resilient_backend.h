// A backend behind a guard. In this order, from the outside: tried again while the budget allows, the circuit, the
// bulkhead, the timeout. Refused by the circuit: kCircuitOpen; by the bulkhead: kUnavailable, which is neither counted
// as the backend's failure nor tried again.
//
// As durable and atomic as what it stands in front of. A batch is tried again in part: only what was not done
// (evidence.h). A health check and what statistics ask pass by: they are how one learns that the backend is back.
//
// A call that may have to wait does not run on an I/O thread: with further attempts, or places to wait for, there are
// no inline reads and writes.
#pragma once

#include <memory>

#include "service/resilience/guard.h"
#include "service/storage/backend.h"

namespace holdfast::resilience {

std::shared_ptr<storage::Backend> MakeResilientBackend(std::shared_ptr<storage::Backend> backend,
                                                       std::shared_ptr<Guard> guard);

}  // namespace holdfast::resilience
