// The rows "checkpoints.*" and "stores.*.checkpoint_*", and what they come to.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddCheckpoints(std::vector<config::Setting>* rows);
// Of all stores.
void ReadCheckpoints(const config::Settings& settings, ServiceSettings* result);

}  // namespace holdfast::service
