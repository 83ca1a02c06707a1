// Puts the controller of backups together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/backup/reconciler.h"
#include "operator/runtime/manager.h"

namespace holdfast::backup {

struct BackupConfig {
  std::vector<std::string> namespaces = {};  // empty = all
  int workers = 2;
  BackupOptions options = {};
};

void AddBackupController(runtime::Manager& manager, std::shared_ptr<kube::Client> client, const BackupConfig& config);

}  // namespace holdfast::backup
