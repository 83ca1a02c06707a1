// From a cluster to the objects that should be: pure, deterministic, no client and no clock. The objects hold exactly
// the fields the operator owns, as server-side apply wants them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"
#include "operator/resources/names.h"
#include "operator/resources/redis_servers.h"

namespace holdfast::resources {

// What is being done to the logins that are not in use.
struct LoginChange {
  enum class Step {
    kAdmit,   // they get the passwords that the credentials hold for them, and may log in
    kRetire,  // they may not any more, and whoever has is sent away
  };
  Step step = Step::kAdmit;
  std::string wish;  // the annotation's value that asked for it: each change has a Job of its own
  // Of kAdmit: the addresses of the pods of the pooler, in order. Each has to let the login in before it is used.
  std::vector<std::string> poolers = {};
  // The addresses of the servers, in order. Of kAdmit: each has to let the superuser in before it is used; of kRetire:
  // each has to go by the new logins before the former ones end.
  std::vector<std::string> members = {};
};

// As whom a PostgreSQL backend is logged in to: by the application, and by its servers (kServerRoles).
struct Login {
  bool second = false;  // kSecondApplicationUser
  // Of the other ones.
  std::optional<LoginChange> change = {};
  bool second_of_servers = false;

  const char* user() const;
  const char* password() const;  // the file of it in the credentials
  const char* user_of(const ServerRole& role) const { return role.users[second_of_servers ? 1 : 0]; }
  const char* password_of(const ServerRole& role) const { return role.passwords[second_of_servers ? 1 : 0]; }
  Login other() const { return {!second, {}, !second_of_servers}; }
};

// What a rotation of a Redis backend's passwords waits for: every server and sentinel, by address and in order, shows
// the mark of what the credentials hold (redis_follow.cc).
struct RedisChange {
  std::string wish = {};  // the annotation's value that asked for it
  std::string step = {};
  std::vector<std::string> servers = {};
  std::vector<std::string> sentinels = {};
  std::string server_mark = {};
  std::string sentinel_mark = {};
};

struct BuildOptions {
  std::string service_image;
  std::string postgres_image = "holdfast-postgres:15";  // PostgreSQL, Patroni and PgBouncer
  std::string redis_image = "holdfast-redis:7";         // of backends that name none
  // Of the Secrets the pods mount, by name; what changes makes the pods anew. A Secret that is not there yet has none.
  // Of credentials none: whoever mounts them follows them.
  std::map<std::string, std::string> secret_checksums = {};
  // What of the cluster's authority is published: certificates in PEM. Empty until they are made.
  std::string authorities = {};
  // SHA-256 of the token that the operator shows to the service of a cluster with backups; empty = none is asked for.
  std::string backup_caller = {};
  std::map<std::string, Login> logins = {};  // by backend; the first logins of those that are not there

  // Of the Redis backends with sentinels, by name; as many as the spec asks for where there is none.
  std::map<std::string, RedisServers> redis_servers = {};

  std::map<std::string, RedisChange> redis_changes = {};  // by backend; of those whose passwords are being changed
  // By backend: the wish that the passwords in use were made for, with which the service's pods are made anew.
  std::map<std::string, std::string> redis_wishes = {};

  Login LoginOf(const std::string& backend) const;
};

// What has to be so before an object may be written. Objects that are there stay, whatever stage has been reached.
enum class Stage {
  kAlways,
  kMigration,  // the backend has a primary, and migrations are allowed
  kService,    // every schema is what the service needs
};

struct DesiredObject {
  kube::ResourceKind kind;
  kube::Json object;
  Stage stage = Stage::kAlways;
  std::string backend = {};  // of kMigration
  kube::ObjectKey key() const { return kube::KeyOf(object); }
};

// In the order in which they are applied: what the pods need comes before the pods.
std::vector<DesiredObject> BuildObjects(const api::StorageCluster& cluster, const BuildOptions& options);

// A set of volumes: those of the service's StatefulSet, or of a backend's servers.
struct VolumeSet {
  std::string stateful_set = {};
  std::string claim_prefix = {};   // "data-demo-", then the ordinal
  std::string backend = {};        // "" = the service's
  const char* role = "";           // of the pods of a backend
  std::int64_t pods = 0;           // that the spec asks for
  std::string size = {};           // what each volume should have
  std::string storage_class = {};  // "" = whichever
  bool Holds(const std::string& claim) const;
};
std::vector<VolumeSet> VolumeSets(const api::StorageCluster& cluster);

// The Secrets with passwords and certificates that the operator makes for the pods of a cluster, and the authority.
std::vector<std::string> SecretNames(const api::StorageCluster& cluster);
// Whether the operator needs a token to have backups made.
bool HasBackupCaller(const api::StorageClusterSpec& spec);
// Whether the operator issues the certificate of the service.
bool IssuesServiceCertificate(const api::StorageClusterSpec& spec);

// Whether the service keeps data in its pods: then it is a StatefulSet, and never two pods of one ordinal run at once.
// Otherwise it is a Deployment.
bool KeepsDataInPods(const api::StorageClusterSpec& spec);

// The kinds BuildObjects makes, for informers and for finding what is no longer desired.
const std::vector<kube::ResourceKind>& ChildKinds();

// The size of the one volume that embedded backends share, or "" when there is none. Replicas of a store have one each.
std::string VolumeSize(const api::StorageClusterSpec& spec);

// metadata.ownerReferences of every child: controller, blocking the owner's foreground deletion.
kube::Json OwnerReferences(const api::StorageCluster& cluster);

// Hexadecimal.
std::string Sha256Of(std::string_view text);
// "sha256:<hex>" of the document in its canonical form (sorted keys, no white space).
std::string Hash(const kube::Json& document);

// The parts, each in a file of its own.
kube::Json BuildServiceAccount(const api::StorageCluster& cluster);
kube::Json BuildConfigMap(const api::StorageCluster& cluster, const BuildOptions& options);
// The ConfigMap with which clients verify a certificate that the operator has issued.
kube::Json BuildAuthorityConfigMap(const api::StorageCluster& cluster, const BuildOptions& options);
kube::Json BuildClientService(const api::StorageCluster& cluster);
kube::Json BuildHeadlessService(const api::StorageCluster& cluster);
kube::Json BuildPodDisruptionBudget(const api::StorageCluster& cluster);
kube::Json BuildAutoscaler(const api::StorageCluster& cluster);
// `config_checksum` makes the pods anew when their configuration changes.
kube::Json BuildStatefulSet(const api::StorageCluster& cluster, const BuildOptions& options,
                            const std::string& config_checksum);
kube::Json BuildDeployment(const api::StorageCluster& cluster, const BuildOptions& options,
                           const std::string& config_checksum);

// apiVersion, kind and metadata of a child.
kube::Json ChildObject(const api::StorageCluster& cluster, const kube::ResourceKind& kind, const std::string& name);

}  // namespace holdfast::resources
