// The server of a Redis backend, or the servers of a Redis Cluster (redis_shards.cc), a StatefulSet that meets the
// restricted Pod Security Standard; how it is reached and by whom.
#include "operator/resources/redis.h"

#include <algorithm>
#include <set>

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr int kRevisionHistory = 3;
constexpr int kSecretMode = 0440;
// Beside the data: buffers of clients, and pages that change while a child rewrites the append-only file.
constexpr std::uint64_t kBaseMemory = std::uint64_t{64} << 20;

// With whom it keeps the locks of stores, itself among them; nobody when it keeps none.
std::set<std::string> QuorumOf(const api::StorageClusterSpec& spec, const std::string& backend) {
  std::set<std::string> quorum;
  for (const api::StoreSpec& store : spec.stores) {
    const std::vector<std::string>& names = store.lock_backends;
    if (std::find(names.begin(), names.end(), backend) != names.end()) quorum.insert(names.begin(), names.end());
  }
  return quorum;
}

class Builder {
 public:
  Builder(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options)
      : cluster_(cluster),
        backend_(backend),
        redis_(*backend.redis()),
        options_(options),
        name_(BackendName(cluster.name, backend.name)),
        selector_(BackendSelector(cluster.name, backend.name, kRedisRole)) {}

  std::vector<DesiredObject> Build() {
    const Json files = redis_.shards ? ShardFiles(redis_) : RedisFiles(redis_);
    Add(kube::kinds::kConfigMap, BackendConfigName(cluster_.name, backend_.name))["data"] = files;
    AddService(PodsServiceName(cluster_.name, backend_.name),
               {{"clusterIP", "None"}, {"publishNotReadyAddresses", true}});
    AddService(redis_.shards ? name_ : PrimaryServiceName(cluster_.name, backend_.name), {{"type", "ClusterIP"}});
    Add(kube::kinds::kNetworkPolicy, name_)["spec"] = NetworkPolicy();
    Add(kube::kinds::kPodDisruptionBudget, name_)["spec"] = {{"maxUnavailable", 1},
                                                             {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
                                                             {"selector", {{"matchLabels", selector_}}}};
    Json& set = Add(kube::kinds::kStatefulSet, name_);
    // What a hibernated cluster wakes up with, whatever its spec asks for by then.
    if (redis_.shards) set["metadata"]["annotations"][kServersAnnotation] = std::to_string(Pods());
    set["spec"] = StatefulSet(files);
    return std::move(objects_);
  }

 private:
  Json& Add(const kube::ResourceKind& kind, const std::string& name) {
    objects_.push_back({kind, ChildObject(cluster_, kind, name)});
    Json& object = objects_.back().object;
    object["metadata"]["labels"] = BackendLabels(cluster_, backend_.name, kRedisRole);
    return object;
  }

  void AddService(const std::string& name, Json spec) {
    spec["selector"] = selector_;
    spec["ports"] =
        Json::array({{{"name", "redis"}, {"port", kRedisPort}, {"targetPort", "redis"}, {"protocol", "TCP"}}});
    Add(kube::kinds::kService, name)["spec"] = std::move(spec);
  }

  // Only what comes in, from the cluster's own pods.
  Json NetworkPolicy() const {
    const Json family = {{kClusterLabel, cluster_.name}};
    Json ingress = Json::array({{{"from", Json::array({{{"podSelector", {{"matchLabels", family}}}}})},
                                 {"ports", Json::array({{{"protocol", "TCP"}, {"port", kRedisPort}}})}}});
    if (redis_.shards) {
      for (Json& each : ShardIngress(cluster_, backend_)) ingress.push_back(std::move(each));
    }
    return {
        {"podSelector", {{"matchLabels", selector_}}}, {"policyTypes", {"Ingress"}}, {"ingress", std::move(ingress)}};
  }

  Json Container() const {
    return {{"name", "redis"},
            {"image", RedisImage(redis_, options_)},
            {"imagePullPolicy", "IfNotPresent"},
            {"command", {"sh", PathIn(kRedisConfigPath, "start.sh")}},
            {"env", Json::array({{{"name", "POD_IP"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}}},
                                 {{"name", "REDIS_PORT"}, {"value", std::to_string(kRedisPort)}},
                                 {{"name", "TLS_DIR"}, {"value", kTlsPath}},
                                 {{"name", "CONFIG_DIR"}, {"value", kRedisConfigPath}},
                                 {{"name", "CREDENTIALS_DIR"}, {"value", kCredentialsPath}}})},
            {"ports", Json::array({{{"name", "redis"}, {"containerPort", kRedisPort}, {"protocol", "TCP"}}})},
            {"resources", RedisResources(redis_)},
            {"livenessProbe", RedisProbe(kProbeFile, "alive", 10, 6)},
            {"readinessProbe", RedisProbe(kProbeFile, "ready", 2, 2)},
            {"securityContext", ContainerSecurityContext()},
            {"volumeMounts",
             Json::array({Mount("settings", kRedisConfigPath, true), Mount("credentials", kCredentialsPath, true),
                          Mount("tls", kTlsPath, true), Mount(kRedisVolume, kRedisPath, false)})}};
  }

  Json PodSpec() const {
    // Of the credentials only the hashes that it lets in by, and whom follow.sh is there.
    Json credentials = SecretVolume("credentials", CredentialsName(cluster_.name, backend_.name), kSecretMode);
    credentials["secret"]["items"] = Json::array();
    for (const char* file : {kRedisUsersFile, kKeeperPassword}) {
      credentials["secret"]["items"].push_back({{"key", file}, {"path", file}});
    }
    Json pod = {
        {"serviceAccountName", cluster_.name},
        {"automountServiceAccountToken", false},
        {"enableServiceLinks", false},
        {"terminationGracePeriodSeconds", kRedisTerminationGraceSeconds},
        {"securityContext", PodSecurityContext()},
        {"containers", Json::array({Container()})},
        {"volumes", Json::array({ConfigMapVolume("settings", BackendConfigName(cluster_.name, backend_.name)),
                                 std::move(credentials),
                                 SecretVolume("tls", ServerTlsName(cluster_.name, backend_.name), kSecretMode)})}};
    if (redis_.shards) MakeShardPod(cluster_, backend_, &pod);
    const std::set<std::string> quorum = QuorumOf(cluster_.spec, backend_.name);
    if (!quorum.empty()) KeepApart(ServersOf(quorum), {kZoneKey}, &pod);
    return pod;
  }

  // Servers of several backends.
  Json ServersOf(const std::set<std::string>& backends) const {
    return {{"matchLabels", {{kClusterLabel, cluster_.name}, {kRoleLabel, kRedisRole}}},
            {"matchExpressions", Json::array({{{"key", kBackendLabel}, {"operator", "In"}, {"values", backends}}})}};
  }

  // What the server reads when it starts, and only then.
  std::string Checksum(const Json& files) const {
    Json read = {{"files", files}};
    for (const std::string& secret :
         {CredentialsName(cluster_.name, backend_.name), ServerTlsName(cluster_.name, backend_.name)}) {
      const auto known = options_.secret_checksums.find(secret);
      if (known != options_.secret_checksums.end()) read["secrets"][secret] = known->second;
    }
    return Hash(read);
  }

  // Of shards that become fewer: those that have not gone yet.
  std::int64_t Pods() const {
    const auto present = options_.redis_servers.find(backend_.name);
    return present == options_.redis_servers.end() ? redis_.instances : present->second.pods;
  }

  Json StatefulSet(const Json& files) const {
    return {{"replicas", cluster_.hibernated ? 0 : Pods()},
            {"serviceName", PodsServiceName(cluster_.name, backend_.name)},
            {"selector", {{"matchLabels", selector_}}},
            {"podManagementPolicy", "Parallel"},
            {"updateStrategy", {{"type", "RollingUpdate"}}},
            {"revisionHistoryLimit", kRevisionHistory},
            {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
            {"template",
             {{"metadata",
               {{"labels", BackendLabels(cluster_, backend_.name, kRedisRole)},
                {"annotations", {{kConfigChecksumAnnotation, Checksum(files)}}}}},
              {"spec", PodSpec()}}},
            {"volumeClaimTemplates", Json::array({RedisClaimTemplate(cluster_, backend_)})}};
  }

  const api::StorageCluster& cluster_;
  const api::BackendSpec& backend_;
  const api::RedisBackend& redis_;
  const BuildOptions& options_;
  const std::string name_;
  const Json selector_;
  std::vector<DesiredObject> objects_;
};

}  // namespace

std::vector<DesiredObject> BuildRedis(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                      const BuildOptions& options) {
  if (backend.redis()->sentinel) return BuildRedisWithSentinels(cluster, backend, options);
  return Builder(cluster, backend, options).Build();
}

Json RedisClaimTemplate(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::RedisBackend& redis = *backend.redis();
  Json spec = {{"accessModes", {"ReadWriteOnce"}},
               {"resources", {{"requests", {{"storage", BytesText(Bytes(redis.storage_size))}}}}}};
  if (redis.storage_class_name) spec["storageClassName"] = *redis.storage_class_name;
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", kRedisVolume}, {"labels", BackendLabels(cluster, backend.name, kRedisRole)}}},
          {"spec", std::move(spec)}};
}

Json RedisResources(const api::RedisBackend& redis) {
  const std::uint64_t data = Bytes(redis.max_memory);
  return ContainerResources(redis.resource_requests, redis.resource_limits, "100m",
                            BytesText(data + data / 2 + kBaseMemory));
}

std::string RedisImage(const api::RedisBackend& redis, const BuildOptions& options) {
  return redis.image.empty() ? options.redis_image : redis.image;
}

Json RedisProbe(const char* script, const char* question, int period, int failures) {
  return {{"exec", {{"command", {"sh", PathIn(kRedisConfigPath, script), question}}}},
          {"periodSeconds", period},
          {"timeoutSeconds", 5},
          {"failureThreshold", failures},
          {"successThreshold", 1}};
}

}  // namespace holdfast::resources
