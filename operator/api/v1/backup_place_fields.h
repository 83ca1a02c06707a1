// spec.backups of a StorageCluster: where the service puts the backups of all stores, and when they are made; and where
// those of another cluster lie.
#pragma once

#include <optional>

#include "operator/api/v1/field.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {

Field BackupPlaceFields();
// Of a spec that was validated; nothing = there is no such place. With a source alone there is none of its own.
std::optional<BackupPlace> ReadBackupPlace(const Json& spec);
std::optional<BackupLocation> ReadBackupSource(const Json& spec);

}  // namespace holdfast::api
