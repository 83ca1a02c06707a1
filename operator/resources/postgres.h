// The objects of one provisioned PostgreSQL backend: Patroni and its servers, the ways to them, the pooler. Pure.
//
// Passwords are in no object made here. The pods mount the Secrets (made by the controller, operator/certificates) and
// an init container, a shell script of the ConfigMap, puts what has to be in a file of another form there, on a volume
// in memory; an environment can be read. Patroni and PgBouncer take their logins from the mounted Secret itself, so
// that they learn of new passwords without a restart, which would cut their clients off.
#pragma once

#include <string>
#include <vector>

#include "operator/resources/build.h"

namespace holdfast::resources {

// In the order in which they are applied.
std::vector<DesiredObject> BuildPostgres(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                         const BuildOptions& options);

// patroni.yml and patroni.sh, application.sql, pgbouncer.ini and pooler.sh, render.sh, migrate.yaml, for volumes that
// grow by themselves volume.py, and what changes a login (login_job.cc), by file name. What render.sh fills in stands
// in double braces:
// {{env:NAME}} and {{file:NAME}}.
kube::Json BackendFiles(const api::StorageCluster& cluster, const api::BackendSpec& backend, const Login& login = {});

// patroni.yml without bootstrap, as a document: what running members depend on. Of their logins it has all but the
// names and passwords, which are in the Secret (kPatroniLoginsFile).
kube::Json StaticPatroniSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend);

// What Patroni keeps in its store and every member follows: bootstrap.dcs, and what later changes are merged into.
kube::Json DynamicConfiguration(const api::StorageCluster& cluster, const api::PostgresBackend& postgres);

// `live` with all that of it is ours brought to what it should be. Parameters a user may set and no longer does are
// taken out.
kube::Json MergedDynamicConfiguration(kube::Json live, const kube::Json& desired);

// How the service, or `holdfast migrate`, reaches a backend with a schema; keys of docs/configuration.md.
kube::Json PostgresServiceSettings(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                   const Login& login);
// The volumes of a pod that does, and their mounts under kBackendsPath.
struct VolumesAndMounts {
  kube::Json volumes = kube::Json::array();
  kube::Json mounts = kube::Json::array();
};
VolumesAndMounts BackendAccess(const api::StorageCluster& cluster, const api::BackendSpec& backend);

// The Job that brings a backend's schema to what `options.service_image` needs. Named after the image and everything
// else that matters for it, so that each change of these is one Job, and an unchanged cluster has one.
DesiredObject BuildMigrationJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                const BuildOptions& options);

// The Job that carries `options.logins`' change out, as the superuser on the primary. May run more than once.
// A Job of a rotation, named by a hash of its pod and of what it is `of`.
DesiredObject LoginJobOf(const api::StorageCluster& cluster, const api::BackendSpec& backend, kube::Json pod,
                         kube::Json of);
DesiredObject BuildLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                            const BuildOptions& options);
// Its files among BackendFiles.
void AddLoginFiles(kube::Json* files);
// The variable of psql by which kVerifiersFile gives the verifier of a new password: "superuser_verifier". `of` is the
// name of a ServerRole, or kApplicationVerifier.
inline constexpr char kApplicationVerifier[] = "application";
std::string VerifierVariable(const std::string& of);

// The parts, by file: postgres_access.cc, postgres_stateful_set.cc, pooler.cc.
std::vector<DesiredObject> BuildPostgresAccess(const api::StorageCluster& cluster, const api::BackendSpec& backend);
kube::Json BuildPostgresStatefulSet(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                    const BuildOptions& options, const std::string& config_checksum);
std::vector<DesiredObject> BuildPooler(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                       const BuildOptions& options, const std::string& config_checksum);

// The init container that fills templates in: render.sh `pairs` of template and target.
kube::Json RenderContainer(const std::string& image, const std::vector<std::string>& pairs, const kube::Json& mounts);
// Paths and addresses that templates ask for with {{env:NAME}}.
kube::Json RenderEnvironment();

inline constexpr char kTemplatesPath[] = "/etc/holdfast-templates";
inline constexpr char kCredentialsPath[] = "/etc/holdfast-credentials";
inline constexpr char kTlsPath[] = "/etc/holdfast-tls";
inline constexpr char kPatroniPath[] = "/etc/patroni";
inline constexpr char kPgBouncerPath[] = "/etc/pgbouncer";
inline constexpr char kPostgresPath[] = "/var/lib/postgresql";
inline constexpr char kPostgresRunPath[] = "/run/postgresql";
inline constexpr char kPostgresVolume[] = "pgdata";

}  // namespace holdfast::resources
