// PgBouncer between the state service and the primary.
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr int kTerminationGraceSeconds = 30;
constexpr int kRevisionHistory = 3;
constexpr int kSecretMode = 0440;

Json TcpProbe(int period, int timeout, int failures) {
  return {{"tcpSocket", {{"port", "pooler"}}},
          {"periodSeconds", period},
          {"timeoutSeconds", timeout},
          {"failureThreshold", failures},
          {"successThreshold", 1}};
}

Json Mounts() {
  return Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                      Mount("tls", kTlsPath, true), Mount("rendered", kPgBouncerPath, false)});
}

Json Container(const BuildOptions& options) {
  return {{"name", "pooler"},
          {"image", options.postgres_image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command",
           {"sh", PathIn(kTemplatesPath, "pooler.sh"), PathIn(kPgBouncerPath, "pgbouncer.ini"),
            PathIn(kCredentialsPath, kPoolerUsers)}},
          {"ports", Json::array({{{"name", "pooler"}, {"containerPort", kPoolerPort}, {"protocol", "TCP"}}})},
          {"resources", ContainerResources(Json::object(), Json::object(), "100m", "64Mi")},
          {"livenessProbe", TcpProbe(10, 5, 3)},
          {"readinessProbe", TcpProbe(5, 3, 2)},
          {"securityContext", ContainerSecurityContext()},
          {"volumeMounts", Mounts()}};
}

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options) {
  const std::string target(kPgBouncerPath);
  // Only what it lets in and logs in with: the other passwords are none of its business.
  Json credentials = SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode);
  credentials["secret"]["items"] = Json::array({{{"key", kPoolerUsers}, {"path", kPoolerUsers}}});
  return {
      {"serviceAccountName", cluster.name},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
      {"securityContext", PodSecurityContext()},
      {"initContainers", Json::array({RenderContainer(
                             options.postgres_image,
                             {PathIn(kTemplatesPath, "pgbouncer.ini"), PathIn(target, "pgbouncer.ini")}, Mounts())})},
      {"containers", Json::array({Container(options)})},
      {"volumes",
       Json::array({ConfigMapVolume("templates", BackendConfigName(cluster.name, backend.name)), std::move(credentials),
                    SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode),
                    MemoryVolume("rendered")})}};
}

}  // namespace

std::vector<DesiredObject> BuildPooler(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                       const BuildOptions& options, const std::string& config_checksum) {
  const std::string name = PoolerName(cluster.name, backend.name);
  const Json selector = BackendSelector(cluster.name, backend.name, kPoolerRole);
  const Json labels = BackendLabels(cluster, backend.name, kPoolerRole);
  const auto object = [&](const kube::ResourceKind& kind, Json spec) {
    DesiredObject made{kind, ChildObject(cluster, kind, name)};
    made.object["metadata"]["labels"] = labels;
    made.object["spec"] = std::move(spec);
    return made;
  };
  const Json family = {{kClusterLabel, cluster.name}};
  std::vector<DesiredObject> objects;
  objects.push_back(object(
      kube::kinds::kService,
      {{"type", "ClusterIP"},
       {"selector", selector},
       {"ports",
        Json::array({{{"name", "pooler"}, {"port", kPoolerPort}, {"targetPort", "pooler"}, {"protocol", "TCP"}}})}}));
  objects.push_back(
      object(kube::kinds::kNetworkPolicy,
             {{"podSelector", {{"matchLabels", selector}}},
              {"policyTypes", {"Ingress"}},
              {"ingress", Json::array({{{"from", Json::array({{{"podSelector", {{"matchLabels", family}}}}})},
                                        {"ports", Json::array({{{"protocol", "TCP"}, {"port", kPoolerPort}}})}}})}}));
  objects.push_back(object(kube::kinds::kPodDisruptionBudget, {{"maxUnavailable", 1},
                                                               {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
                                                               {"selector", {{"matchLabels", selector}}}}));
  objects.push_back(
      object(kube::kinds::kDeployment,
             {{"replicas", cluster.hibernated ? 0 : backend.postgres()->pooler_instances},
              {"selector", {{"matchLabels", selector}}},
              {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxUnavailable", 0}, {"maxSurge", 1}}}}},
              {"revisionHistoryLimit", kRevisionHistory},
              {"template",
               {{"metadata", {{"labels", labels}, {"annotations", {{kConfigChecksumAnnotation, config_checksum}}}}},
                {"spec", PodSpec(cluster, backend, options)}}}}));
  return objects;
}

}  // namespace holdfast::resources
