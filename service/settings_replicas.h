// The rows of stores on several replicas, and what they come to.
#pragma once

#include <string_view>
#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddReplicas(std::vector<config::Setting>* rows);
// When backends and stores with all else that they use are known. Gives the replicas room for what rows carry beside
// their values; what cannot be is added to `problems`.
void ReadReplicasOfStores(const config::Settings& settings, ServiceSettings* result,
                          std::vector<config::Problem>* problems);

}  // namespace holdfast::service
