// The Job with which a rotation of a Redis backend's passwords waits until every server and sentinel goes by what the
// credentials hold (redis_follow.cc). It changes nothing.
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr int kSecretMode = 0440;

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options,
             const RedisChange& change) {
  Json credentials = SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode);
  credentials["secret"]["items"] = Json::array({{{"key", kKeeperPassword}, {"path", kKeeperPassword}}});
  Json tls = SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode);
  tls["secret"]["items"] = Json::array({{{"key", kAuthorityFile}, {"path", kAuthorityFile}}});
  Json command = {"sh", PathIn(kRedisConfigPath, "followed.sh")};
  const auto add = [&](const std::vector<std::string>& addresses, int port, const std::string& mark) {
    for (const std::string& address : addresses) {
      command.push_back(std::string(address).append(":").append(std::to_string(port)).append("=").append(mark));
    }
  };
  add(change.servers, kRedisPort, change.server_mark);
  add(change.sentinels, kSentinelPort, change.sentinel_mark);
  Json container = {{"name", "login"},
                    {"image", RedisImage(*backend.redis(), options)},
                    {"imagePullPolicy", "IfNotPresent"},
                    {"command", std::move(command)},
                    {"env", Json::array({{{"name", "CREDENTIALS_DIR"}, {"value", kCredentialsPath}},
                                         {{"name", "TLS_DIR"}, {"value", kTlsPath}}})},
                    {"resources", ContainerResources(Json::object(), Json::object(), "10m", "16Mi")},
                    {"terminationMessagePolicy", "FallbackToLogsOnError"},
                    {"securityContext", ContainerSecurityContext()}};
  container["volumeMounts"] = Json::array({Mount("settings", kRedisConfigPath, true),
                                           Mount("credentials", kCredentialsPath, true), Mount("tls", kTlsPath, true)});
  Json pod = {{"serviceAccountName", cluster.name}, {"restartPolicy", "Never"}};
  pod["automountServiceAccountToken"] = false;
  pod["enableServiceLinks"] = false;
  pod["securityContext"] = PodSecurityContext();
  pod["containers"] = Json::array({std::move(container)});
  pod["volumes"] = Json::array({ConfigMapVolume("settings", BackendConfigName(cluster.name, backend.name)),
                                std::move(credentials), std::move(tls)});
  return pod;
}

}  // namespace

DesiredObject BuildRedisLoginJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                 const BuildOptions& options) {
  const RedisChange& change = options.redis_changes.at(backend.name);
  Json pod = PodSpec(cluster, backend, options, change);
  return LoginJobOf(cluster, backend, std::move(pod), {{"wish", change.wish}, {"step", change.step}});
}

}  // namespace holdfast::resources
