// The rows of stores that acknowledge writes before their backend has them, and what they come to.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddWriteQueue(std::vector<config::Setting>* rows);
// When backends, stores, their caches and everything else that names backends are known. Gives the backends of queues
// room for what rows carry beside their values; what cannot be is added to `problems`.
void ReadWriteQueuesOfStores(const config::Settings& settings, ServiceSettings* result,
                             std::vector<config::Problem>* problems);

}  // namespace holdfast::service
