// The condition BackupHealthy of a StorageCluster: of its databases' backups (status.backups) and of the schedules of
// StorageBackups (status.backupSchedules) together. Two controllers write these, and each the condition with its part.
#pragma once

#include <cstdint>

#include "base/time/clock.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr char kBackupHealthyCondition[] = "BackupHealthy";

// By the rows of `status` as they are; without any the condition goes.
void SetBackupHealthy(std::int64_t generation, Timestamp now, Json* status);

}  // namespace holdfast::api
