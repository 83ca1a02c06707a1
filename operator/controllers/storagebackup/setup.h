// Adds the controllers of StorageBackups and StorageRestores to a manager: each has a queue and workers of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/controllers/storagebackup/run_reconciler.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::storagebackup {

struct RunConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  RunOptions options;
};

void AddStorageBackupControllers(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const RunConfig& config);

}  // namespace holdfast::storagebackup
