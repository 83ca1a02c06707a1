// How a cluster's children are called and labelled, and where things are inside the pods. One place, because builders,
// the controller and its informers must agree; the names are published (docs/storagecluster.md).
#pragma once

#include <string>
#include <string_view>

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"

namespace holdfast::resources {

inline constexpr char kFieldManager[] = "holdfast-operator";

inline constexpr char kClusterLabel[] = "storage.holdfast.dev/cluster";
// The uid of the cluster an object was made for: tells the children of a cluster from those of a former one of the
// same name.
inline constexpr char kOwnerUidLabel[] = "storage.holdfast.dev/owner-uid";
inline constexpr char kManagedByLabel[] = "app.kubernetes.io/managed-by";
inline constexpr char kManagedBySelector[] = "app.kubernetes.io/managed-by=holdfast-operator";

inline constexpr char kDesiredHashAnnotation[] = "storage.holdfast.dev/desired-hash";
inline constexpr char kConfigChecksumAnnotation[] = "storage.holdfast.dev/config-checksum";

// Of objects that belong to one backend: its name.
inline constexpr char kBackendLabel[] = "storage.holdfast.dev/backend";
// What a pod is there for: one of the nine below.
inline constexpr char kRoleLabel[] = "storage.holdfast.dev/role";
inline constexpr char kServiceRole[] = "service";
inline constexpr char kPostgresRole[] = "postgres";
inline constexpr char kPoolerRole[] = "pooler";
inline constexpr char kRedisRole[] = "redis";
inline constexpr char kSentinelRole[] = "sentinel";
inline constexpr char kMigrationRole[] = "migration";
inline constexpr char kLoginRole[] = "login";
inline constexpr char kBackupRole[] = "backup";  // of PostgreSQL: the repository
inline constexpr char kSourceRole[] = "source";  // another one's, that is restored from
// What Patroni finds its pods and ConfigMaps by; its value is PatroniScope.
inline constexpr char kPatroniScopeLabel[] = "storage.holdfast.dev/patroni-scope";
// Patroni 3.0.2 keeps this label on its pods: "master" or "replica".
inline constexpr char kPatroniRoleLabel[] = "role";
inline constexpr char kPatroniPrimary[] = "master";
inline constexpr char kPatroniReplica[] = "replica";

// On the StatefulSet of servers: the hash of the dynamic configuration that Patroni's store was last given.
inline constexpr char kPatroniConfigurationAnnotation[] = "storage.holdfast.dev/patroni-configuration";

inline constexpr char kServiceContainer[] = "service";
inline constexpr char kDataVolume[] = "data";
inline constexpr char kDataPath[] = "/var/lib/holdfast";
// Where the volumes of replicas are mounted, each in a folder of its backend's name.
inline constexpr char kReplicasPath[] = "/var/lib/holdfast-replicas";
// The folder in such a volume that is the backend's: at the root of a file system may be what mkfs put there.
inline constexpr char kReplicaFolder[] = "db";
inline constexpr char kConfigPath[] = "/etc/holdfast";
inline constexpr char kConfigFile[] = "holdfast.yaml";
inline constexpr int kDataPort = 8080;
inline constexpr int kAdminPort = 9090;
inline constexpr int kPostgresPort = 5432;
inline constexpr int kPatroniPort = 8008;
inline constexpr int kPoolerPort = 6432;
inline constexpr int kRedisPort = 6379;
inline constexpr int kSentinelPort = 26379;
inline constexpr int kRedisBusPort = 16379;  // between the servers of a Redis Cluster
// Of an instance whose volume grows by itself: who tells how full it is.
inline constexpr int kVolumePort = 9091;
// Of a PostgreSQL backend with backups, beside each server and in the pod of the repository: pgBackRest's own, and who
// tells of it and begins backups (backup.py).
inline constexpr int kBackRestPort = 8432;
inline constexpr int kBackupPort = 8433;
inline constexpr char kBackupProgram[] = "backup.py";
// What pgBackRest calls the one database of a repository.
inline constexpr char kStanza[] = "main";
inline constexpr char kRepositoryVolume[] = "repository";
inline constexpr char kVolumeScript[] = "volume.py";
// Where the service finds what it needs to reach a backend: <path>/<backend>/tls/ca.crt and so on.
inline constexpr char kBackendsPath[] = "/etc/holdfast-backends";
// Whose certificates its clients have to show.
inline constexpr char kClientAuthorityPath[] = "/etc/holdfast-client-ca";

// In the Secret of a backend's credentials, beside the passwords of kServerRoles.
inline constexpr char kApplicationPassword[] = "application-password";
inline constexpr char kSecondApplicationPassword[] = "application-password-b";
// The application's two once more, as PgBouncer wants them.
inline constexpr char kPoolerUsers[] = "userlist.txt";
// Whichever of kServerRoles' logins the members use, as a part of Patroni's configuration.
inline constexpr char kPatroniLoginsFile[] = "patroni-logins.yml";
// The parameter by which a member shows which rotation (kRotationFile) its logins are of.
inline constexpr char kLoginsParameter[] = "holdfast.logins";
// Of the newest passwords what PostgreSQL keeps of them (certificates/scram_verifier.h), as variables of psql.
inline constexpr char kVerifiersFile[] = "verifiers.sql";
// Whom Redis lets in: its ACL file, with hashes of the passwords.
inline constexpr char kRedisUsersFile[] = "users.acl";
// Of a backend with sentinels: whom they let in. Of one with sentinels or shards: the passwords of those who are there
// to keep the servers together, and whether a master has ever served: "yes" or "no".
inline constexpr char kSentinelUsersFile[] = "sentinel-users.acl";
inline constexpr char kReplicationPassword[] = "replication-password";
inline constexpr char kSentinelPassword[] = "sentinel-password";
inline constexpr char kKeeperPassword[] = "keeper-password";
// While new passwords of Redis are brought in: of each of these files the other password that is good.
inline std::string OtherPassword(std::string_view file) {
  return std::string(file).append("-b");
}
inline constexpr char kInitializedFile[] = "initialized";
// A hash of the wish that the newest password was made for. Who finds it has that password, and not one from before,
// which a kubelet may still bring.
inline constexpr char kRotationFile[] = "rotation";
// What the servers log in to each other and to themselves with: each of these has two roles that take turns (Login),
// and the credentials hold a password for both.
struct ServerRole {
  const char* name;          // as Patroni calls it
  const char* users[2];      // the roles in the database
  const char* passwords[2];  // their files in the credentials
};
inline constexpr ServerRole kServerRoles[] = {
    {"superuser", {"postgres", "postgres_b"}, {"superuser-password", "superuser-password-b"}},
    {"replication", {"replicator", "replicator_b"}, {"replication-password", "replication-password-b"}},
    {"rewind", {"rewinder", "rewinder_b"}, {"rewind-password", "rewind-password-b"}}};
inline constexpr const ServerRole& kSuperuser = kServerRoles[0];
inline constexpr const ServerRole& kReplication = kServerRoles[1];
inline constexpr const ServerRole& kRewind = kServerRoles[2];
// Of a Redis backend: the keeper of each, the others of one with sentinels or shards.
inline constexpr char kReplicationUser[] = "replicator";
inline constexpr char kSentinelUser[] = "sentinel";
inline constexpr char kKeeperUser[] = "keeper";
// The application's role, and the database of the state service.
inline constexpr char kApplicationUser[] = "holdfast";
// Another way in for the application, so that a password can be changed while the former is still good: its sessions
// take the role of the one above, which owns everything.
inline constexpr char kSecondApplicationUser[] = "holdfast_b";
inline constexpr char kDatabase[] = "holdfast";
// The one that Patroni and pg_rewind connect to.
inline constexpr char kMaintenanceDatabase[] = "postgres";
// In the Secrets of certificates.
inline constexpr char kCertificateFile[] = "tls.crt";
inline constexpr char kKeyFile[] = "tls.key";
inline constexpr char kAuthorityFile[] = "ca.crt";
// Of the Secret of an external server, as pods find them.
inline constexpr char kUrlFile[] = "url";
inline constexpr char kPasswordFile[] = "password";

std::string ConfigMapName(std::string_view cluster);
std::string HeadlessServiceName(std::string_view cluster);
// The StatefulSet controller's name for a pod's claim: "data-demo-0".
std::string ClaimName(std::string_view cluster, std::int64_t ordinal);
// "replica-a": the volume of a backend that is a replica of a store, and "replica-a-demo-0", its claim.
std::string ReplicaVolumeName(std::string_view backend);
std::string ReplicaClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal);

// Of a PostgreSQL or Redis backend: "demo-db", the name of its StatefulSet, and of PostgreSQL's ServiceAccount and Role
// and Patroni's scope.
std::string BackendName(std::string_view cluster, std::string_view backend);
std::string PatroniScope(std::string_view cluster, std::string_view backend);
std::string PatroniConfigName(std::string_view cluster, std::string_view backend);    // "demo-db-config", Patroni's own
std::string PodsServiceName(std::string_view cluster, std::string_view backend);      // "demo-db-pods"
std::string PrimaryServiceName(std::string_view cluster, std::string_view backend);   // "demo-db-primary"
std::string ReplicasServiceName(std::string_view cluster, std::string_view backend);  // "demo-db-replicas"
std::string PoolerName(std::string_view cluster, std::string_view backend);           // "demo-db-pooler"
std::string CredentialsName(std::string_view cluster, std::string_view backend);      // "demo-db-credentials"
std::string ServerTlsName(std::string_view cluster, std::string_view backend);        // "demo-db-tls"
std::string BackendConfigName(std::string_view cluster,
                              std::string_view backend);  // "demo-db-settings"; "-config" is Patroni's own
// "demo-ca": the Secret of the authority, and the ConfigMap with the part of it that is for everybody.
std::string AuthorityName(std::string_view cluster);
std::string ServiceTlsName(std::string_view cluster);  // "demo-tls"
// The Secret with the token that the operator has backups made with, and the file in it.
std::string BackupTokenName(std::string_view cluster);  // "demo-backup-token"
inline constexpr char kTokenFile[] = "token";
// The Secret with the service's certificate, whoever makes it. The cluster has TLS.
std::string ServiceCertificateName(const api::StorageCluster& cluster);
// Of a PostgreSQL backend with backups: "demo-db-backup", the StatefulSet of the repository and its Service;
// "repository-demo-db-backup-0", its claim. Of one that is restored: "demo-db-source", who serves the other repository.
std::string BackupName(std::string_view cluster, std::string_view backend);
std::string RepositoryClaimName(std::string_view cluster, std::string_view backend);
std::string SourceName(std::string_view cluster, std::string_view backend);
// "pgdata-demo-db-0"
std::string PostgresClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal);
// "redisdata-demo-cache-0"
std::string RedisClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal);
// "demo-cache-sentinel": the StatefulSet of the sentinels, and the Service for whoever looks for the master.
std::string SentinelName(std::string_view cluster, std::string_view backend);
std::string SentinelPodsServiceName(std::string_view cluster, std::string_view backend);  // "demo-cache-sentinel-pods"
// "sentineldata-demo-cache-sentinel-0"
std::string SentinelClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal);
// "demo-cache-0": the pod of a StatefulSet, and where it has a Service of its own, that.
std::string PodName(std::string_view stateful_set, std::int64_t ordinal);
// "demo-db-primary.prod.svc"
std::string ServiceHost(std::string_view service, std::string_view ns);

// "/etc/holdfast/holdfast.yaml"
std::string PathIn(std::string_view folder, std::string_view file);

// What selects the pods; immutable in a StatefulSet, so it never grows.
kube::Json PodSelector(std::string_view cluster);
// The pods of a PostgreSQL backend in one role; immutable as well.
kube::Json BackendSelector(std::string_view cluster, std::string_view backend, std::string_view role);
// The same as a label selector: "a=b,c=d".
std::string PodSelectorText(std::string_view cluster);
// On every child. Without the owner's uid when the cluster has none, as in `plan`.
kube::Json ChildLabels(const api::StorageCluster& cluster);
// On every child of a backend, with what BackendSelector asks for.
kube::Json BackendLabels(const api::StorageCluster& cluster, std::string_view backend, std::string_view role);

// "http://demo.prod.svc:8080", or https.
std::string Endpoint(const api::StorageCluster& cluster);

}  // namespace holdfast::resources
