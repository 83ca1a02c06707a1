// The rows of stores with a secondary backend, and what they come to.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

// What a row of a copy carries beside the value: metadata and tags, and a key that may become twice as long.
void MakeRoomForCopies(const StoreSettings& store, BackendSettings* backend);
void AddFailover(std::vector<config::Setting>* rows);
// When backends, stores and their caches and locks are known. Gives the secondary backends room for what copies carry
// beside their values; what cannot be is added to `problems`.
void ReadFailoverOfStores(const config::Settings& settings, ServiceSettings* result,
                          std::vector<config::Problem>* problems);

}  // namespace holdfast::service
