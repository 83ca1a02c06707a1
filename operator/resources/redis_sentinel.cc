// The servers and sentinels of a Redis backend with sentinels: two StatefulSets that meet the restricted Pod Security
// Standard, a Service for each of their pods, and who may reach them.
#include <fmt/format.h>

#include <algorithm>

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr int kRevisionHistory = 3;
constexpr int kSecretMode = 0440;
constexpr char kPodNameLabel[] = "statefulset.kubernetes.io/pod-name";

Json Field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

class Builder {
 public:
  Builder(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options)
      : cluster_(cluster),
        backend_(backend),
        redis_(*backend.redis()),
        options_(options),
        counts_(CountsOf(*backend.redis(), backend.name, options)),
        servers_(BackendName(cluster.name, backend.name)),
        sentinels_(SentinelName(cluster.name, backend.name)) {}

  std::vector<DesiredObject> Build() {
    const Json files = SentinelFiles(cluster_, backend_, counts_.names);
    Add(kube::kinds::kConfigMap, BackendConfigName(cluster_.name, backend_.name), kRedisRole)["data"] = files;
    AddServices(kRedisRole, servers_, PodsServiceName(cluster_.name, backend_.name), counts_.names);
    AddServices(kSentinelRole, sentinels_, SentinelPodsServiceName(cluster_.name, backend_.name),
                redis_.sentinel->sentinels);
    // Of those that are ready: for whoever looks for the master.
    AddService(kSentinelRole, sentinels_, Selector(kSentinelRole), {{"type", "ClusterIP"}});
    for (const char* role : {kRedisRole, kSentinelRole}) {
      Add(kube::kinds::kNetworkPolicy, NameOf(role), role)["spec"] = NetworkPolicy(role);
      Add(kube::kinds::kPodDisruptionBudget, NameOf(role), role)["spec"] = {
          {"maxUnavailable", 1},
          {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
          {"selector", {{"matchLabels", Selector(role)}}}};
    }
    Add(kube::kinds::kStatefulSet, sentinels_, kSentinelRole)["spec"] = Sentinels(files);
    Json& servers = Add(kube::kinds::kStatefulSet, servers_, kRedisRole);
    servers["metadata"]["annotations"][kServersAnnotation] = std::to_string(counts_.names);
    servers["spec"] = Servers(files);
    return std::move(objects_);
  }

 private:
  static RedisServers CountsOf(const api::RedisBackend& redis, const std::string& name, const BuildOptions& options) {
    const auto present = options.redis_servers.find(name);
    return present == options.redis_servers.end() ? RedisServers{redis.instances, redis.instances} : present->second;
  }

  const std::string& NameOf(std::string_view role) const { return role == kRedisRole ? servers_ : sentinels_; }
  static int PortOf(std::string_view role) { return role == kRedisRole ? kRedisPort : kSentinelPort; }
  Json Selector(const char* role) const { return BackendSelector(cluster_.name, backend_.name, role); }

  Json& Add(const kube::ResourceKind& kind, const std::string& name, const char* role) {
    objects_.push_back({kind, ChildObject(cluster_, kind, name)});
    Json& object = objects_.back().object;
    object["metadata"]["labels"] = BackendLabels(cluster_, backend_.name, role);
    return object;
  }

  void AddService(const char* role, const std::string& name, Json selector, Json spec) {
    spec["selector"] = std::move(selector);
    spec["ports"] = Json::array({{{"name", role}, {"port", PortOf(role)}, {"targetPort", role}, {"protocol", "TCP"}}});
    Add(kube::kinds::kService, name, role)["spec"] = std::move(spec);
  }

  // The one that a StatefulSet needs, and one for each pod, which also names a pod that is not there or not ready.
  void AddServices(const char* role, const std::string& set, const std::string& headless, std::int64_t pods) {
    AddService(role, headless, Selector(role), {{"clusterIP", "None"}, {"publishNotReadyAddresses", true}});
    for (std::int64_t i = 0; i < pods; ++i) {
      const std::string pod = PodName(set, i);
      Json selector = Selector(role);
      selector[kPodNameLabel] = pod;
      AddService(role, pod, std::move(selector), {{"type", "ClusterIP"}, {"publishNotReadyAddresses", true}});
    }
  }

  // Only what comes in, from the cluster's own pods and from the operator, in whatever namespace.
  Json NetworkPolicy(const char* role) const {
    Json from = Json::array({{{"podSelector", {{"matchLabels", {{kClusterLabel, cluster_.name}}}}}},
                             {{"podSelector", {{"matchLabels", {{"app.kubernetes.io/name", kFieldManager}}}}},
                              {"namespaceSelector", Json::object()}}});
    return {{"podSelector", {{"matchLabels", Selector(role)}}},
            {"policyTypes", {"Ingress"}},
            {"ingress", Json::array({{{"from", std::move(from)},
                                      {"ports", Json::array({{{"protocol", "TCP"}, {"port", PortOf(role)}}})}}})}};
  }

  Json Environment() const {
    Json environment = Json::array({Field("POD_IP", "status.podIP"), Field("POD_NAME", "metadata.name"),
                                    Field("POD_NAMESPACE", "metadata.namespace")});
    const std::vector<std::pair<const char*, std::string>> values = {
        {"CONFIG_DIR", kRedisConfigPath},
        {"CREDENTIALS_DIR", kCredentialsPath},
        {"TLS_DIR", kTlsPath},
        {"DATA_DIR", kRedisPath},
        {"RUN_DIR", kRedisRunPath},
        {"MASTER_NAME", kRedisMasterName},
        {"QUORUM", std::to_string(redis_.sentinel->sentinels / 2 + 1)},
        {"SENTINEL_PORT", std::to_string(kSentinelPort)},
        {"REDIS_PORT", std::to_string(kRedisPort)}};
    for (const auto& [name, value] : values) environment.push_back({{"name", name}, {"value", value}});
    return environment;
  }

  Json Container(const char* role, const char* script, Json resources, const char* probe, const char* volume) const {
    return {{"name", role},
            {"image", RedisImage(redis_, options_)},
            {"imagePullPolicy", "IfNotPresent"},
            {"command", {"sh", PathIn(kRedisConfigPath, script)}},
            {"env", Environment()},
            {"ports", Json::array({{{"name", role}, {"containerPort", PortOf(role)}, {"protocol", "TCP"}}})},
            {"resources", std::move(resources)},
            {"livenessProbe", RedisProbe(probe, "alive", 10, 6)},
            {"readinessProbe", RedisProbe(probe, "ready", 2, 2)},
            {"securityContext", ContainerSecurityContext()},
            {"volumeMounts", Json::array({Mount("settings", kRedisConfigPath, true),
                                          Mount("credentials", kCredentialsPath, true), Mount("tls", kTlsPath, true),
                                          Mount("run", kRedisRunPath, false), Mount(volume, kRedisPath, false)})}};
  }

  // `files`: of the credentials, those that its scripts read.
  Json Pod(const char* role, Json container, const std::vector<const char*>& files) const {
    Json credentials = SecretVolume("credentials", CredentialsName(cluster_.name, backend_.name), kSecretMode);
    credentials["secret"]["items"] = Json::array();
    for (const char* file : files) credentials["secret"]["items"].push_back({{"key", file}, {"path", file}});
    Json pod = {{"serviceAccountName", cluster_.name},
                {"automountServiceAccountToken", false},
                {"enableServiceLinks", false},
                {"terminationGracePeriodSeconds", kRedisTerminationGraceSeconds},
                {"securityContext", PodSecurityContext()},
                {"containers", Json::array({std::move(container)})},
                {"volumes", Json::array({ConfigMapVolume("settings", BackendConfigName(cluster_.name, backend_.name)),
                                         std::move(credentials),
                                         SecretVolume("tls", ServerTlsName(cluster_.name, backend_.name), kSecretMode),
                                         MemoryVolume("run")})}};
    KeepApart({{"matchLabels", Selector(role)}}, {kZoneKey}, &pod);
    return pod;
  }

  // Of what a pod reads when it starts. Not of who the others are, which a pod that starts later reads anew.
  std::string Checksum(const Json& files, const std::vector<const char*>& names) const {
    Json read = Json::object();
    for (const char* name : names) read["files"][name] = files.at(name);
    for (const std::string& secret :
         {CredentialsName(cluster_.name, backend_.name), ServerTlsName(cluster_.name, backend_.name)}) {
      const auto known = options_.secret_checksums.find(secret);
      if (known != options_.secret_checksums.end()) read["secrets"][secret] = known->second;
    }
    return Hash(read);
  }

  Json Set(const char* role, const char* strategy, const std::string& headless, std::int64_t pods,
           const std::string& checksum, Json pod, Json claim) const {
    return {{"replicas", cluster_.hibernated ? 0 : pods},
            {"serviceName", headless},
            {"selector", {{"matchLabels", Selector(role)}}},
            {"podManagementPolicy", "Parallel"},
            {"updateStrategy", {{"type", strategy}}},
            {"revisionHistoryLimit", kRevisionHistory},
            {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
            {"template",
             {{"metadata",
               {{"labels", BackendLabels(cluster_, backend_.name, role)},
                {"annotations", {{kConfigChecksumAnnotation, checksum}}}}},
              {"spec", std::move(pod)}}},
            {"volumeClaimTemplates", Json::array({std::move(claim)})}};
  }

  // The operator replaces them, the replicas first and the master last (operator/sentinel/rollout_decision.h).
  Json Servers(const Json& files) const {
    return Set(
        kRedisRole, "OnDelete", PodsServiceName(cluster_.name, backend_.name), counts_.pods,
        Checksum(files, {"redis.conf", "ask.sh", "start.sh", "keep.sh", "follow.sh", "probe-server.sh"}),
        Pod(kRedisRole, Container(kRedisRole, "start.sh", RedisResources(redis_), "probe-server.sh", kRedisVolume),
            {kRedisUsersFile, kReplicationPassword, kKeeperPassword, kInitializedFile}),
        RedisClaimTemplate(cluster_, backend_));
  }

  // One at a time, each when the one before is ready.
  Json Sentinels(const Json& files) const {
    Json claim = RedisClaimTemplate(cluster_, backend_);
    claim["metadata"] = {{"name", kSentinelVolume}, {"labels", BackendLabels(cluster_, backend_.name, kSentinelRole)}};
    claim["spec"]["resources"]["requests"]["storage"] = kSentinelStorage;
    return Set(
        kSentinelRole, "RollingUpdate", SentinelPodsServiceName(cluster_.name, backend_.name),
        redis_.sentinel->sentinels,
        Checksum(files, {"sentinel.conf", "ask.sh", "sentinel.sh", "follow.sh", "probe-sentinel.sh", kProbeFile}),
        Pod(kSentinelRole,
            Container(kSentinelRole, "sentinel.sh", ContainerResources(Json::object(), Json::object(), "20m", "32Mi"),
                      "probe-sentinel.sh", kSentinelVolume),
            {kSentinelUsersFile, kSentinelPassword, kInitializedFile}),
        std::move(claim));
  }

  const api::StorageCluster& cluster_;
  const api::BackendSpec& backend_;
  const api::RedisBackend& redis_;
  const BuildOptions& options_;
  const RedisServers counts_;
  const std::string servers_;
  const std::string sentinels_;
  std::vector<DesiredObject> objects_;
};

}  // namespace

std::vector<DesiredObject> BuildRedisWithSentinels(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                                   const BuildOptions& options) {
  return Builder(cluster, backend, options).Build();
}

}  // namespace holdfast::resources
