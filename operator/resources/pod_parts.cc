#include "operator/resources/pod_parts.h"

#include "base/config/settings.h"

namespace holdfast::resources {
namespace {

constexpr int kUser = 10001;

}  // namespace

kube::Json PodSecurityContext() {
  return {{"runAsNonRoot", true},
          {"runAsUser", kUser},
          {"runAsGroup", kUser},
          {"fsGroup", kUser},
          {"fsGroupChangePolicy", "OnRootMismatch"},
          {"seccompProfile", {{"type", "RuntimeDefault"}}}};
}

kube::Json ContainerSecurityContext() {
  return {{"allowPrivilegeEscalation", false},
          {"readOnlyRootFilesystem", true},
          {"runAsNonRoot", true},
          {"capabilities", {{"drop", {"ALL"}}}}};
}

kube::Json HttpProbe(const char* path, const char* port, const char* scheme, int period, int timeout, int failures) {
  return {{"httpGet", {{"path", path}, {"port", port}, {"scheme", scheme}}},
          {"periodSeconds", period},
          {"timeoutSeconds", timeout},
          {"failureThreshold", failures},
          {"successThreshold", 1}};
}

kube::Json ContainerResources(kube::Json requests, const kube::Json& limits, const std::string& cpu,
                              const std::string& memory) {
  if (!requests.contains("cpu") && !limits.contains("cpu")) requests["cpu"] = cpu;
  if (!requests.contains("memory") && !limits.contains("memory")) requests["memory"] = memory;
  kube::Json resources = kube::Json::object();
  if (!requests.empty()) resources["requests"] = std::move(requests);
  if (!limits.empty()) resources["limits"] = limits;
  return resources;
}

std::uint64_t Bytes(const std::string& text) {
  // Validated where it was parsed; a size beyond 64 bits cannot get here.
  const auto bytes = config::ParseBytes(text);
  return bytes.ok() ? *bytes : 0;
}

std::string BytesText(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "Ki", "Mi", "Gi", "Ti"};
  std::size_t unit = 0;
  while (unit < 4 && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kUnits[unit];
}

kube::Json ConfigMapVolume(const char* name, const std::string& config_map) {
  return {{"name", name}, {"configMap", {{"name", config_map}}}};
}

kube::Json SecretVolume(const char* name, const std::string& secret, int mode) {
  return {{"name", name}, {"secret", {{"secretName", secret}, {"defaultMode", mode}}}};
}

kube::Json MemoryVolume(const char* name) {
  return {{"name", name}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", "1Mi"}}}};
}

kube::Json EmptyVolume(const char* name) {
  return {{"name", name}, {"emptyDir", kube::Json::object()}};
}

kube::Json Mount(const char* name, const std::string& path, bool read_only) {
  kube::Json mount = {{"name", name}, {"mountPath", path}};
  if (read_only) mount["readOnly"] = true;
  return mount;
}

void KeepApart(const kube::Json& selector, const std::vector<const char*>& keys, kube::Json* pod) {
  const kube::Json term = {{"topologyKey", kNodeKey}, {"labelSelector", selector}};
  (*pod)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
      kube::Json::array({{{"weight", 100}, {"podAffinityTerm", term}}});
  (*pod)["topologySpreadConstraints"] = kube::Json::array();
  for (const char* key : keys) {
    (*pod)["topologySpreadConstraints"].push_back(
        {{"maxSkew", 1}, {"topologyKey", key}, {"whenUnsatisfiable", "ScheduleAnyway"}, {"labelSelector", selector}});
  }
}

}  // namespace holdfast::resources
