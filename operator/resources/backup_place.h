// spec.backups in the service's words, and what its pods mount for it.
#pragma once

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {

// The rows "backups.*" of docs/configuration.md.
kube::Json BackupPlaceSettings(const api::BackupPlace& place);
// The rows "stores.*.backup_*", which are the same for every store.
void AddBackupRetention(const api::BackupPlace& place, kube::Json& store);
VolumesAndMounts BackupPlaceFiles(const api::BackupPlace& place);

}  // namespace holdfast::resources
