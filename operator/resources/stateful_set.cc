// The pods of the state service. They meet the restricted Pod Security Standard, which a test checks field by field.
#include <cstdint>

#include "base/config/settings.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::resources {
namespace {

constexpr int kUser = 10001;
// Above the 30 s within which the service drains its connections on SIGTERM.
constexpr int kTerminationGraceSeconds = 45;
// Replaying a write-ahead log takes its time: 5 minutes.
constexpr int kStartupPeriodSeconds = 2;
constexpr int kStartupFailures = 150;
// What the service needs beside its caches: code, connections, write buffers.
constexpr std::uint64_t kBaseMemory = std::uint64_t{128} << 20;
constexpr int kRevisionHistory = 3;

std::uint64_t Bytes(const std::string& text) {
  // Validated where it was parsed; a size beyond 64 bits cannot get here.
  const auto bytes = config::ParseBytes(text);
  return bytes.ok() ? *bytes : 0;
}

// The unit Kubernetes itself would write, so that what is read back compares equal.
std::string BytesText(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "Ki", "Mi", "Gi", "Ti"};
  std::size_t unit = 0;
  while (unit < 4 && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

kube::Json ContainerResources(const api::StorageClusterSpec& spec) {
  std::uint64_t memory = kBaseMemory;
  for (const api::BackendSpec& backend : spec.backends) {
    memory +=
        backend.embedded() != nullptr ? Bytes(backend.embedded()->cache_size) : Bytes(backend.memory()->max_bytes);
  }
  kube::Json requests = spec.service.resource_requests;
  const kube::Json& limits = spec.service.resource_limits;
  // A limit without a request sets the request as well; ours must not stand above it.
  if (!requests.contains("cpu") && !limits.contains("cpu")) requests["cpu"] = "100m";
  if (!requests.contains("memory") && !limits.contains("memory")) requests["memory"] = BytesText(memory);
  kube::Json resources = kube::Json::object();
  if (!requests.empty()) resources["requests"] = std::move(requests);
  if (!limits.empty()) resources["limits"] = limits;
  return resources;
}

kube::Json HttpProbe(const char* path, int period, int timeout, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "admin"}, {"scheme", "HTTP"}}},
          {"periodSeconds", period},
          {"timeoutSeconds", timeout},
          {"failureThreshold", failures},
          {"successThreshold", 1}};
}

kube::Json Container(const api::StorageClusterSpec& spec, const BuildOptions& options) {
  return {
      {"name", kServiceContainer},
      {"image", options.service_image},
      {"imagePullPolicy", "IfNotPresent"},
      {"command", {"holdfast", "serve", "--config", std::string(kConfigPath) + "/" + kConfigFile}},
      {"ports", kube::Json::array({{{"name", "data"}, {"containerPort", kDataPort}, {"protocol", "TCP"}},
                                   {{"name", "admin"}, {"containerPort", kAdminPort}, {"protocol", "TCP"}}})},
      {"resources", ContainerResources(spec)},
      {"startupProbe", HttpProbe("/livez", kStartupPeriodSeconds, 2, kStartupFailures)},
      {"livenessProbe", HttpProbe("/livez", 10, 5, 3)},
      {"readinessProbe", HttpProbe("/readyz", 5, 3, 2)},
      {"securityContext",
       {{"allowPrivilegeEscalation", false},
        {"readOnlyRootFilesystem", true},
        {"runAsNonRoot", true},
        {"capabilities", {{"drop", {"ALL"}}}}}},
      {"volumeMounts", kube::Json::array({{{"name", "config"}, {"mountPath", kConfigPath}, {"readOnly", true}},
                                          {{"name", kDataVolume}, {"mountPath", kDataPath}}})},
  };
}

kube::Json PodSpec(const api::StorageCluster& cluster, const BuildOptions& options) {
  kube::Json volumes =
      kube::Json::array({{{"name", "config"}, {"configMap", {{"name", ConfigMapName(cluster.name)}}}}});
  if (VolumeSize(cluster.spec).empty()) volumes.push_back({{"name", kDataVolume}, {"emptyDir", kube::Json::object()}});
  return {{"serviceAccountName", cluster.name},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
          {"securityContext",
           {{"runAsNonRoot", true},
            {"runAsUser", kUser},
            {"runAsGroup", kUser},
            {"fsGroup", kUser},
            {"fsGroupChangePolicy", "OnRootMismatch"},
            {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
          {"containers", kube::Json::array({Container(cluster.spec, options)})},
          {"volumes", std::move(volumes)}};
}

kube::Json ClaimTemplate(const api::StorageCluster& cluster, const std::string& size) {
  kube::Json spec = {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", size}}}}}};
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.embedded() != nullptr && backend.embedded()->storage_class_name) {
      spec["storageClassName"] = *backend.embedded()->storage_class_name;
    }
  }
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", kDataVolume}, {"labels", ChildLabels(cluster)}}},
          {"spec", std::move(spec)}};
}

}  // namespace

std::string VolumeSize(const api::StorageClusterSpec& spec) {
  std::uint64_t bytes = 0;
  for (const api::BackendSpec& backend : spec.backends) {
    if (backend.embedded() != nullptr) bytes += Bytes(backend.embedded()->storage_size);
  }
  return bytes == 0 ? std::string() : BytesText(bytes);
}

kube::Json BuildStatefulSet(const api::StorageCluster& cluster, const BuildOptions& options,
                            const std::string& config_checksum) {
  kube::Json labels = ChildLabels(cluster);
  kube::Json spec = {
      {"replicas", cluster.spec.service.replicas},
      {"serviceName", HeadlessServiceName(cluster.name)},
      {"selector", {{"matchLabels", PodSelector(cluster.name)}}},
      // Not one after the other: a pod that never gets ready would keep its own correction from being rolled out.
      {"podManagementPolicy", "Parallel"},
      {"updateStrategy", {{"type", "RollingUpdate"}}},
      {"revisionHistoryLimit", kRevisionHistory},
      {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
      {"template",
       {{"metadata", {{"labels", labels}, {"annotations", {{kConfigChecksumAnnotation, config_checksum}}}}},
        {"spec", PodSpec(cluster, options)}}}};
  if (const std::string size = VolumeSize(cluster.spec); !size.empty()) {
    spec["volumeClaimTemplates"] = kube::Json::array({ClaimTemplate(cluster, size)});
  }
  kube::Json object = ChildObject(cluster, kube::kinds::kStatefulSet, cluster.name);
  object["spec"] = std::move(spec);
  return object;
}

}  // namespace holdfast::resources
