// Refuses what the circuit would refuse, before it queues: the queue may stand behind calls that hang, and who is
// refused is to know at once.
#pragma once

#include <memory>

#include "service/execution/executor.h"
#include "service/resilience/guard.h"

namespace holdfast::resilience {

// `reads`: whether reads are refused here, too; not in front of a store that may answer them from a cache. Tasks (Run)
// pass by and meet the circuit behind the queue.
std::unique_ptr<execution::Executor> MakeGatedExecutor(std::unique_ptr<execution::Executor> executor,
                                                       std::shared_ptr<const Guard> guard, bool reads);

}  // namespace holdfast::resilience
