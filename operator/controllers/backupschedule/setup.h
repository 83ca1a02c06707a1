// Adds the controller of backup schedules to a manager: it watches StorageClusters and the StorageBackups it made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "operator/controllers/backupschedule/reconciler.h"
#include "operator/kube/client.h"
#include "operator/runtime/manager.h"

namespace holdfast::backupschedule {

struct ScheduleConfig {
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  int workers = 4;
  ScheduleOptions options;
};

void AddBackupScheduleController(runtime::Manager& manager, std::shared_ptr<kube::Client> client,
                                 const ScheduleConfig& config);

}  // namespace holdfast::backupschedule
