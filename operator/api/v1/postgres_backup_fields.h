// Backups of PostgreSQL by pgBackRest in the CRD: spec.backends[].postgres.backup and .restoreFrom, and status.backups.
#pragma once

#include "operator/api/v1/field.h"
#include "operator/api/v1/storage_cluster.h"

namespace holdfast::api {

Field PostgresBackupFields();
Field PostgresRestoreFields();
Field PostgresBackupStatuses(std::size_t most_backends);

Rule RestoreOnlyAtCreationRule();  // on postgres

// Of a postgres that is valid and has its defaults; nothing where it has none.
std::optional<PostgresBackup> ReadPostgresBackup(const Json& postgres);
std::optional<PostgresRestore> ReadPostgresRestore(const Json& postgres);

}  // namespace holdfast::api
