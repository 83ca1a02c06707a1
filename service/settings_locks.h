// Settings of where the locks of a store are kept, and of what a store needs of its backend.
#pragma once

#include <string_view>
#include <vector>

#include "service/settings.h"

namespace holdfast::service {

void AddLocks(std::vector<config::Setting>* rows);
coordination::QuorumOptions QuorumOf(const config::Settings& settings);
// Reads them of every store there is; what cannot be is added to `problems`. Behind all backends and stores.
void ReadLocksOfStores(const config::Settings& settings, ServiceSettings* result,
                       std::vector<config::Problem>* problems);

}  // namespace holdfast::service
