// Rounds of calls to a backend, each on keys of its own, so that a history stays small enough to be searched.
#pragma once

#include <cstddef>
#include <string>

#include "service/storage/backend.h"
#include "tests/linearizability/workload.h"

namespace holdfast::linearizability {

Workload Round(int round, bool transactions);
// Empty when the history of the calls is linearisable. Adds their number to `calls`.
std::string Broken(storage::Backend& backend, const Workload& workload, std::size_t* calls);

}  // namespace holdfast::linearizability
