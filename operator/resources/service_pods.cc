// The pods of the state service, in a StatefulSet or a Deployment. They meet the restricted Pod Security Standard,
// which a test checks field by field.
#include <algorithm>
#include <cstdint>

#include "operator/resources/backup_place.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

// Above the 5 s for which the service announces its end (config_map.cc) and the 30 s within which it drains its
// connections behind that.
constexpr int kTerminationGraceSeconds = 45;
// Replaying a write-ahead log takes its time: 5 minutes.
constexpr int kStartupPeriodSeconds = 2;
constexpr int kStartupFailures = 150;
// What the service needs beside its caches: code, connections, write buffers.
constexpr std::uint64_t kBaseMemory = std::uint64_t{128} << 20;
// Of a queue of writes, and of what waits for the replicas of a store, when the spec says nothing.
constexpr char kQueueMemory[] = "64Mi";
// Of a run: two objects of a backup, as the service cuts them.
constexpr std::uint64_t kBackupMemory = std::uint64_t{128} << 20;
// Of a restore to a time: the changes that it holds at once.
constexpr std::uint64_t kReplayMemory = std::uint64_t{256} << 20;
// Of the changes of a store in memory that wait to be shipped, when the spec says nothing.
constexpr char kChangeMemory[] = "64Mi";
constexpr int kRevisionHistory = 3;
constexpr int kSecretMode = 0440;

std::uint64_t ChangeMemory(const api::StorageClusterSpec& spec) {
  // Of a source it is not known.
  std::uint64_t memory = spec.backup_source ? kReplayMemory : 0;
  for (const api::StoreSpec& store : spec.stores) {
    if (!store.change_archive) continue;
    if (memory == 0) memory = kReplayMemory;
    const auto backend = std::find_if(spec.backends.begin(), spec.backends.end(),
                                      [&](const api::BackendSpec& each) { return each.name == store.backend; });
    const bool in_memory = backend != spec.backends.end() && backend->memory() != nullptr;
    if (in_memory) memory += Bytes(spec.backups->change_archive.buffer_size.value_or(kChangeMemory));
  }
  return memory;
}

kube::Json ServiceResources(const api::StorageClusterSpec& spec) {
  std::uint64_t memory = kBaseMemory;
  for (const api::BackendSpec& backend : spec.backends) {
    if (backend.embedded() != nullptr) memory += Bytes(backend.embedded()->cache_size);
    if (backend.memory() != nullptr) memory += Bytes(backend.memory()->max_bytes);
  }
  for (const api::StoreSpec& store : spec.stores) {
    if (store.write_queue) memory += Bytes(store.write_queue->bytes.value_or(kQueueMemory));
    if (store.replicas) memory += Bytes(store.replicas->queue_bytes.value_or(kQueueMemory));
  }
  if (spec.backups || spec.backup_source) memory += kBackupMemory + ChangeMemory(spec);
  return ContainerResources(spec.service.resource_requests, spec.service.resource_limits, "100m", BytesText(memory));
}

kube::Json Container(const api::StorageClusterSpec& spec, const BuildOptions& options, kube::Json mounts) {
  return {
      {"name", kServiceContainer},
      {"image", options.service_image},
      {"imagePullPolicy", "IfNotPresent"},
      {"command", {"holdfast", "serve", "--config", PathIn(kConfigPath, kConfigFile)}},
      {"ports", kube::Json::array({{{"name", "data"}, {"containerPort", kDataPort}, {"protocol", "TCP"}},
                                   {{"name", "admin"}, {"containerPort", kAdminPort}, {"protocol", "TCP"}}})},
      {"resources", ServiceResources(spec)},
      {"startupProbe", HttpProbe("/livez", "admin", "HTTP", kStartupPeriodSeconds, 2, kStartupFailures)},
      {"livenessProbe", HttpProbe("/livez", "admin", "HTTP", 10, 5, 3)},
      {"readinessProbe", HttpProbe("/readyz", "admin", "HTTP", 5, 3, 2)},
      {"securityContext", ContainerSecurityContext()},
      {"volumeMounts", std::move(mounts)},
  };
}

// Whole folders, not single files, which a kubelet would never renew; of each object only what the service needs.
VolumesAndMounts TlsFiles(const api::StorageCluster& cluster) {
  VolumesAndMounts files;
  if (!cluster.spec.service.tls) return files;
  kube::Json certificate = SecretVolume("tls", ServiceCertificateName(cluster), kSecretMode);
  for (const char* file : {kCertificateFile, kKeyFile}) {
    certificate["secret"]["items"].push_back({{"key", file}, {"path", file}});
  }
  files.volumes.push_back(std::move(certificate));
  files.mounts.push_back(Mount("tls", kTlsPath, true));
  const auto& authority = cluster.spec.service.tls->client_authority;
  if (!authority) return files;
  kube::Json volume = authority->in_config_map ? ConfigMapVolume("client-ca", authority->name)
                                               : SecretVolume("client-ca", authority->name, kSecretMode);
  volume[authority->in_config_map ? "configMap" : "secret"]["items"] =
      kube::Json::array({{{"key", authority->key}, {"path", kAuthorityFile}}});
  files.volumes.push_back(std::move(volume));
  files.mounts.push_back(Mount("client-ca", kClientAuthorityPath, true));
  return files;
}

kube::Json PodSpec(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json volumes = kube::Json::array({ConfigMapVolume("config", ConfigMapName(cluster.name))});
  kube::Json mounts = kube::Json::array({Mount("config", kConfigPath, true), Mount(kDataVolume, kDataPath, false)});
  if (VolumeSize(cluster.spec).empty()) volumes.push_back(EmptyVolume(kDataVolume));
  const auto add = [&](VolumesAndMounts more) {
    for (kube::Json& volume : more.volumes) volumes.push_back(std::move(volume));
    for (kube::Json& mount : more.mounts) mounts.push_back(std::move(mount));
  };
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    add(BackendAccess(cluster, backend));
    if (!cluster.spec.IsReplica(backend)) continue;
    mounts.push_back(
        Mount(ReplicaVolumeName(backend.name).c_str(), PathIn(kReplicasPath, backend.name), /*read_only=*/false));
  }
  add(TlsFiles(cluster));
  add(BackupPlaceFiles(cluster.spec));
  return {{"serviceAccountName", cluster.name},
          // The token is for asking the API whose tokens callers show.
          {"automountServiceAccountToken", cluster.spec.service.service_account_auth},
          {"enableServiceLinks", false},
          {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
          {"securityContext", PodSecurityContext()},
          {"containers", kube::Json::array({Container(cluster.spec, options, std::move(mounts))})},
          {"volumes", std::move(volumes)}};
}

std::int64_t Replicas(const api::StorageCluster& cluster) {
  return cluster.hibernated ? 0 : cluster.spec.service.replicas;
}

kube::Json PodTemplate(const api::StorageCluster& cluster, const BuildOptions& options,
                       const std::string& config_checksum) {
  kube::Json labels = ChildLabels(cluster);
  labels[kRoleLabel] = kServiceRole;
  return {
      {"metadata", {{"labels", std::move(labels)}, {"annotations", {{kConfigChecksumAnnotation, config_checksum}}}}},
      {"spec", PodSpec(cluster, options)}};
}

kube::Json ClaimTemplate(const api::StorageCluster& cluster, const std::string& name, const std::string& size) {
  kube::Json spec = {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", size}}}}}};
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.embedded() != nullptr && backend.embedded()->storage_class_name) {
      spec["storageClassName"] = *backend.embedded()->storage_class_name;
    }
  }
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", name}, {"labels", ChildLabels(cluster)}}},
          {"spec", std::move(spec)}};
}

// One for all embedded backends, and one for each replica of a store.
kube::Json ClaimTemplates(const api::StorageCluster& cluster) {
  kube::Json templates = kube::Json::array();
  if (const std::string size = VolumeSize(cluster.spec); !size.empty()) {
    templates.push_back(ClaimTemplate(cluster, kDataVolume, size));
  }
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!cluster.spec.IsReplica(backend)) continue;
    templates.push_back(
        ClaimTemplate(cluster, ReplicaVolumeName(backend.name), BytesText(Bytes(backend.embedded()->storage_size))));
  }
  return templates;
}

}  // namespace

std::string VolumeSize(const api::StorageClusterSpec& spec) {
  std::uint64_t bytes = 0;
  for (const api::BackendSpec& backend : spec.backends) {
    if (backend.embedded() != nullptr && !spec.IsReplica(backend)) bytes += Bytes(backend.embedded()->storage_size);
  }
  return bytes == 0 ? std::string() : BytesText(bytes);
}

kube::Json BuildStatefulSet(const api::StorageCluster& cluster, const BuildOptions& options,
                            const std::string& config_checksum) {
  kube::Json spec = {
      {"replicas", Replicas(cluster)},
      {"serviceName", HeadlessServiceName(cluster.name)},
      {"selector", {{"matchLabels", PodSelector(cluster.name)}}},
      // Not one after the other: a pod that never gets ready would keep its own correction from being rolled out.
      {"podManagementPolicy", "Parallel"},
      {"updateStrategy", {{"type", "RollingUpdate"}}},
      {"revisionHistoryLimit", kRevisionHistory},
      {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
      {"template", PodTemplate(cluster, options, config_checksum)}};
  if (kube::Json templates = ClaimTemplates(cluster); !templates.empty()) {
    spec["volumeClaimTemplates"] = std::move(templates);
  }
  kube::Json object = ChildObject(cluster, kube::kinds::kStatefulSet, cluster.name);
  object["spec"] = std::move(spec);
  return object;
}

kube::Json BuildDeployment(const api::StorageCluster& cluster, const BuildOptions& options,
                           const std::string& config_checksum) {
  kube::Json object = ChildObject(cluster, kube::kinds::kDeployment, cluster.name);
  object["spec"] = {
      {"selector", {{"matchLabels", PodSelector(cluster.name)}}},
      {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", 1}}}}},
      {"revisionHistoryLimit", kRevisionHistory},
      {"template", PodTemplate(cluster, options, config_checksum)}};
  // With an autoscaler the number of pods is its field, not ours.
  if (!cluster.spec.service.autoscaling || cluster.hibernated) object["spec"]["replicas"] = Replicas(cluster);
  return object;
}

}  // namespace holdfast::resources
