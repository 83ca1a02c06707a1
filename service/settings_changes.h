// The rows of change logs, and what they come to for each store.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddChanges(std::vector<config::Setting>* rows);
// When backends and stores are known, with all that stands between them. Has the backends of such stores keep their
// history; what cannot be is added to `problems`.
void ReadChangesOfStores(const config::Settings& settings, ServiceSettings* result,
                         std::vector<config::Problem>* problems);

}  // namespace holdfast::service
