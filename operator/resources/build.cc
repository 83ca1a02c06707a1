#include "operator/resources/build.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
std::vector<DesiredObject> BuildObjects(const api::StorageCluster& cluster, const BuildOptions& options) {
  std::vector<DesiredObject> objects;
  const auto add = [&](const kube::ResourceKind& kind, kube::Json object, Stage stage = Stage::kAlways) {
    objects.push_back({kind, std::move(object), stage});
  };
  // What migrations run as.
  add(kube::kinds::kServiceAccount, BuildServiceAccount(cluster));
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.redis() != nullptr) {
      for (DesiredObject& object : BuildRedis(cluster, backend, options)) objects.push_back(std::move(object));
      if (options.redis_changes.contains(backend.name))
        objects.push_back(BuildRedisLoginJob(cluster, backend, options));
    }
    if (!backend.has_schema()) continue;
    for (DesiredObject& object : BuildPostgres(cluster, backend, options)) objects.push_back(std::move(object));
    // Of what sleeps nobody could be let in or sent away.
    if (backend.postgres() != nullptr && options.LoginOf(backend.name).change && !cluster.hibernated) {
      objects.push_back(BuildLoginJob(cluster, backend, options));
    }
    objects.push_back(BuildMigrationJob(cluster, backend, options));
  }
  if (IssuesServiceCertificate(cluster.spec)) add(kube::kinds::kConfigMap, BuildAuthorityConfigMap(cluster, options));
  kube::Json config = BuildConfigMap(cluster, options);
  kube::Json read = config.at("data");
  if (!options.redis_wishes.empty()) read = {{"data", std::move(read)}, {"passwords", options.redis_wishes}};
  const std::string checksum = Hash(read);
  add(kube::kinds::kConfigMap, std::move(config), Stage::kService);
  const bool keeps_data = KeepsDataInPods(cluster.spec);
  if (keeps_data) add(kube::kinds::kService, BuildHeadlessService(cluster));
  add(kube::kinds::kService, BuildClientService(cluster));
  add(kube::kinds::kPodDisruptionBudget, BuildPodDisruptionBudget(cluster));
  if (keeps_data) {
    add(kube::kinds::kStatefulSet, BuildStatefulSet(cluster, options, checksum), Stage::kService);
  } else {
    add(kube::kinds::kDeployment, BuildDeployment(cluster, options, checksum), Stage::kService);
  }
  if (cluster.spec.service.autoscaling && !cluster.hibernated) {
    add(kube::kinds::kHorizontalPodAutoscaler, BuildAutoscaler(cluster), Stage::kService);
  }
  return objects;
}

bool VolumeSet::Holds(const std::string& claim) const {
  const std::size_t prefix = claim_prefix.size();
  return claim.size() > prefix && claim.starts_with(claim_prefix) &&
         std::all_of(claim.begin() + static_cast<std::ptrdiff_t>(prefix), claim.end(),
                     [](unsigned char each) { return each >= '0' && each <= '9'; });
}

namespace {

VolumeSet SentinelVolumes(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  VolumeSet set{.stateful_set = SentinelName(cluster.name, backend.name),
                .claim_prefix = SentinelClaimName(cluster.name, backend.name, 0),
                .backend = backend.name,
                .role = kSentinelRole,
                .pods = backend.redis()->sentinel->sentinels,
                .size = kSentinelStorage,
                .storage_class = backend.redis()->storage_class_name.value_or("")};
  set.claim_prefix.pop_back();  // the ordinal
  return set;
}

VolumeSet RepositoryVolumes(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::PostgresBackup& backup = *backend.postgres()->backup;
  VolumeSet set{.stateful_set = BackupName(cluster.name, backend.name),
                .claim_prefix = RepositoryClaimName(cluster.name, backend.name),
                .backend = backend.name,
                .role = kBackupRole,
                .pods = 1,
                .size = BytesText(Bytes(backup.storage_size)),
                .storage_class = backup.storage_class_name.value_or("")};
  set.claim_prefix.pop_back();  // the ordinal
  return set;
}

}  // namespace

std::vector<VolumeSet> VolumeSets(const api::StorageCluster& cluster) {
  std::vector<VolumeSet> sets;
  if (const std::string size = VolumeSize(cluster.spec); !size.empty()) {
    VolumeSet of_service{.stateful_set = cluster.name,
                         .claim_prefix = ClaimName(cluster.name, 0),
                         .backend = {},
                         .pods = std::max<std::int64_t>(cluster.spec.service.replicas, 1),
                         .size = size,
                         .storage_class = {}};
    of_service.claim_prefix.pop_back();  // the ordinal
    for (const api::BackendSpec& backend : cluster.spec.backends) {
      if (backend.embedded() == nullptr || !backend.embedded()->storage_class_name) continue;
      of_service.storage_class = *backend.embedded()->storage_class_name;
    }
    sets.push_back(std::move(of_service));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!cluster.spec.IsReplica(backend)) continue;
    VolumeSet of_replica{.stateful_set = cluster.name,
                         .claim_prefix = ReplicaClaimName(cluster.name, backend.name, 0),
                         .backend = {},
                         .pods = 1,
                         .size = BytesText(Bytes(backend.embedded()->storage_size)),
                         .storage_class = backend.embedded()->storage_class_name.value_or("")};
    of_replica.claim_prefix.pop_back();  // the ordinal
    sets.push_back(std::move(of_replica));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!backend.has_servers()) continue;
    VolumeSet of_backend{.stateful_set = BackendName(cluster.name, backend.name), .backend = backend.name};
    if (const api::PostgresBackend* postgres = backend.postgres()) {
      of_backend.claim_prefix = PostgresClaimName(cluster.name, backend.name, 0);
      of_backend.role = kPostgresRole;
      of_backend.pods = postgres->instances;
      of_backend.size = BytesText(Bytes(postgres->storage_size));
      of_backend.storage_class = postgres->storage_class_name.value_or("");
      if (postgres->backup && !postgres->backup->s3) sets.push_back(RepositoryVolumes(cluster, backend));
    } else if (const api::RedisBackend* redis = backend.redis()) {
      of_backend.claim_prefix = RedisClaimName(cluster.name, backend.name, 0);
      of_backend.role = kRedisRole;
      of_backend.pods = redis->instances;
      of_backend.size = BytesText(Bytes(redis->storage_size));
      of_backend.storage_class = redis->storage_class_name.value_or("");
      if (redis->sentinel) sets.push_back(SentinelVolumes(cluster, backend));
    }
    of_backend.claim_prefix.pop_back();
    sets.push_back(std::move(of_backend));
  }
  return sets;
}

std::vector<std::string> SecretNames(const api::StorageCluster& cluster) {
  std::vector<std::string> names;
  if (IssuesServiceCertificate(cluster.spec)) names = {AuthorityName(cluster.name), ServiceTlsName(cluster.name)};
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!backend.has_servers()) continue;
    if (names.empty()) names.push_back(AuthorityName(cluster.name));
    names.push_back(CredentialsName(cluster.name, backend.name));
    names.push_back(ServerTlsName(cluster.name, backend.name));
  }
  if (HasBackupCaller(cluster.spec)) names.push_back(BackupTokenName(cluster.name));
  return names;
}

bool HasBackupCaller(const api::StorageClusterSpec& spec) {
  return (spec.backups || spec.backup_source) && spec.service.service_account_auth;
}

bool IssuesServiceCertificate(const api::StorageClusterSpec& spec) {
  return spec.service.tls && spec.service.tls->issued();
}

bool KeepsDataInPods(const api::StorageClusterSpec& spec) {
  return std::any_of(spec.backends.begin(), spec.backends.end(), [&](const api::BackendSpec& backend) {
    return backend.embedded() != nullptr || (backend.memory() != nullptr && !spec.KeepsOnlyCopies(backend));
  });
}

const std::vector<kube::ResourceKind>& ChildKinds() {
  static const std::vector<kube::ResourceKind> kinds = {kube::kinds::kServiceAccount,
                                                        kube::kinds::kRole,
                                                        kube::kinds::kRoleBinding,
                                                        kube::kinds::kSecret,
                                                        kube::kinds::kConfigMap,
                                                        kube::kinds::kService,
                                                        kube::kinds::kNetworkPolicy,
                                                        kube::kinds::kPodDisruptionBudget,
                                                        kube::kinds::kJob,
                                                        kube::kinds::kStatefulSet,
                                                        kube::kinds::kDeployment,
                                                        kube::kinds::kHorizontalPodAutoscaler};
  return kinds;
}

kube::Json OwnerReferences(const api::StorageCluster& cluster) {
  return kube::Json::array({{{"apiVersion", api::kApiVersion},
                             {"kind", api::kStorageClusterKind},
                             {"name", cluster.name},
                             {"uid", cluster.uid},
                             {"controller", true},
                             {"blockOwnerDeletion", true}}});
}

kube::Json ChildObject(const api::StorageCluster& cluster, const kube::ResourceKind& kind, const std::string& name) {
  kube::Json metadata = {{"name", name}, {"labels", ChildLabels(cluster)}};
  if (!cluster.ns.empty()) metadata["namespace"] = cluster.ns;
  if (!cluster.uid.empty()) metadata["ownerReferences"] = OwnerReferences(cluster);
  return {{"apiVersion", kind.api_version()}, {"kind", kind.kind}, {"metadata", std::move(metadata)}};
}

std::string Sha256Of(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  // Fails only without memory or without SHA-256 in the library; neither leaves anything sensible to do.
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) std::abort();
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hash;
  for (unsigned int i = 0; i < size; ++i) {
    hash += kHex[digest[i] >> 4];
    hash += kHex[digest[i] & 15];
  }
  return hash;
}

std::string Hash(const kube::Json& document) {
  return "sha256:" + Sha256Of(document.dump());
}

}  // namespace holdfast::resources
