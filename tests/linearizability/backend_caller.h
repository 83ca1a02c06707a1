// A client that calls a Backend in this process.
#pragma once

#include "service/storage/backend.h"
#include "tests/linearizability/workload.h"

namespace holdfast::linearizability {

std::unique_ptr<Caller> CallBackend(storage::Backend& backend);

}  // namespace holdfast::linearizability
