// A client that calls a running service over HTTP, on a connection of its own.
#pragma once

#include <cstdint>

#include "tests/linearizability/workload.h"

namespace holdfast::linearizability {

// Store `main` of the service on that port of this machine.
std::unique_ptr<Caller> CallHttp(std::uint16_t port);

}  // namespace holdfast::linearizability
