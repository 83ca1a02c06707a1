// spec.backups in the service's words, its source too, and what the pods mount for it.
#pragma once

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {

// The rows "backups.*" of docs/configuration.md; empty where there is neither a place nor a source.
kube::Json BackupPlaceSettings(const api::StorageClusterSpec& spec);
// The rows "stores.*.backup_*", which are the same for every store.
void AddBackupRetention(const api::BackupPlace& place, kube::Json& store);
VolumesAndMounts BackupPlaceFiles(const api::StorageClusterSpec& spec);

}  // namespace holdfast::resources
