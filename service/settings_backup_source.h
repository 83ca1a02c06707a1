// The rows of the place where the backups of another deployment lie, and what they come to for each store.
#pragma once

#include <vector>

#include "base/config/settings.h"
#include "service/settings.h"

namespace holdfast::service {

void AddBackupSource(std::vector<config::Setting>* rows);
// Into every store of `result`, behind ReadBackups; a key that cannot be read is added to `problems`.
void ReadBackupSource(const config::Settings& settings, ServiceSettings* result,
                      std::vector<config::Problem>* problems);

}  // namespace holdfast::service
