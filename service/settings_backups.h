// The rows of backups, and what they come to for each store.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddBackups(std::vector<config::Setting>* rows);
// Into every store of `result`, behind ReadCheckpoints; a key that cannot be read is added to `problems`.
void ReadBackups(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems);

}  // namespace holdfast::service
