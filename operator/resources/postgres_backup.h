// pgBackRest of one PostgreSQL backend: the pod of its repository, what is beside each server, and for a backend that
// is restored the pod that serves the other repository. Pure.
//
// The repository's pod takes the backups: pgBackRest there reaches the servers, and theirs pushes the archive, both
// over TLS with certificates of the cluster's authority. Only that pod knows the passphrase of the repository. It
// begins a backup when the operator tells it to (operator/backup).
#pragma once

#include <string>
#include <vector>

#include "operator/resources/build.h"

namespace holdfast::resources {

// In the order in which they are applied; `files`: of the backend. Empty without backup and restoreFrom.
std::vector<DesiredObject> BuildPostgresBackup(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                               const BuildOptions& options, const kube::Json& files);

// pgbackrest.conf of the servers, repository.conf and backup.py; of a restored backend source.conf, by which it reads
// the other repository, source-repository.conf of who serves that, and restore.sh.
void AddBackupFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, kube::Json* files);

// What a server's pod has with backups: the container, and which files are rendered into `folder` before.
kube::Json MemberBackupContainer(const BuildOptions& options);
std::vector<std::string> MemberBackupTemplates(const std::string& folder);

// backup.py (kBackupProgram).
extern const char kBackupProgramText[];

// Has bootstrap of patroni.yml make the database by restoring it.
void AddRestore(kube::Json* bootstrap);
// SQL for a database that is a copy of another: the application's roles get this cluster's passwords, and the former
// servers' other logins end.
extern const char kRestoredSql[];

inline constexpr char kBackRestPath[] = "/etc/pgbackrest";
inline constexpr char kRepositoryPath[] = "/var/lib/pgbackrest";
inline constexpr char kBackRestFile[] = "pgbackrest.conf";
// The credentials of a pod that serves a repository: where it is encrypted, and where it is in an object store.
inline constexpr char kPassphraseFile[] = "passphrase";
inline constexpr char kS3AccessKeyFile[] = "s3-access-key";
inline constexpr char kS3SecretKeyFile[] = "s3-secret-key";
inline constexpr char kS3AuthorityFile[] = "s3-ca.crt";

}  // namespace holdfast::resources
