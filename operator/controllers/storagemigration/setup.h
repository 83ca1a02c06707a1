// Adds the controller of StorageMigrations to a manager: a queue and workers of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/controllers/storagemigration/reconciler.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::storagemigration {

struct MigrationConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  MigrationOptions options;
};

void AddStorageMigrationController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                   const MigrationConfig& config);

}  // namespace holdfast::storagemigration
