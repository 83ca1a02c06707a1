// How a PostgreSQL backend is reached, by whom, and what its pods may ask of the Kubernetes API.
#include "operator/resources/names.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// Patroni patches its own pod; instances may be scaled up to this without a change of the Role.
constexpr int kMaximumInstances = 9;

Json Object(const api::StorageCluster& cluster, const api::BackendSpec& backend, const kube::ResourceKind& kind,
            const std::string& name, const char* role) {
  Json object = ChildObject(cluster, kind, name);
  object["metadata"]["labels"] = BackendLabels(cluster, backend.name, role);
  return object;
}

Json Port(const char* name, int port) {
  return {{"name", name}, {"port", port}, {"targetPort", name}, {"protocol", "TCP"}};
}

Json Service(const api::StorageCluster& cluster, const api::BackendSpec& backend, const std::string& name,
             const char* patroni_role) {
  Json object = Object(cluster, backend, kube::kinds::kService, name, kPostgresRole);
  Json selector = BackendSelector(cluster.name, backend.name, kPostgresRole);
  selector[kPatroniRoleLabel] = patroni_role;
  object["spec"] = {{"type", "ClusterIP"},
                    {"selector", std::move(selector)},
                    {"ports", Json::array({Port("postgres", kPostgresPort)})}};
  return object;
}

Json PodsService(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Json object =
      Object(cluster, backend, kube::kinds::kService, PodsServiceName(cluster.name, backend.name), kPostgresRole);
  object["spec"] = {{"clusterIP", "None"},
                    {"publishNotReadyAddresses", true},
                    {"selector", BackendSelector(cluster.name, backend.name, kPostgresRole)},
                    {"ports", Json::array({Port("postgres", kPostgresPort), Port("patroni", kPatroniPort)})}};
  return object;
}

Json Role(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const std::string scope = PatroniScope(cluster.name, backend.name);
  Json config_maps = Json::array();
  for (const char* end : {"-config", "-failover", "-leader", "-sync"}) config_maps.push_back(scope + end);
  Json pods = Json::array();
  for (int i = 0; i < kMaximumInstances; ++i) {
    pods.push_back(BackendName(cluster.name, backend.name) + "-" + std::to_string(i));
  }
  Json object = Object(cluster, backend, kube::kinds::kRole, BackendName(cluster.name, backend.name), kPostgresRole);
  // Creating, listing and watching cannot be narrowed down to names.
  object["rules"] = Json::array(
      {{{"apiGroups", {""}}, {"resources", {"configmaps"}}, {"verbs", {"create", "list", "watch"}}},
       {{"apiGroups", {""}},
        {"resources", {"configmaps"}},
        {"resourceNames", std::move(config_maps)},
        {"verbs", {"get", "patch"}}},
       {{"apiGroups", {""}}, {"resources", {"pods"}}, {"verbs", {"list", "watch"}}},
       {{"apiGroups", {""}}, {"resources", {"pods"}}, {"resourceNames", std::move(pods)}, {"verbs", {"patch"}}}});
  return object;
}

Json RoleBinding(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const std::string name = BackendName(cluster.name, backend.name);
  Json object = Object(cluster, backend, kube::kinds::kRoleBinding, name, kPostgresRole);
  object["roleRef"] = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", name}};
  object["subjects"] = Json::array({{{"kind", "ServiceAccount"}, {"name", name}, {"namespace", cluster.ns}}});
  return object;
}

Json From(Json pods, bool any_namespace) {
  Json peer = {{"podSelector", {{"matchLabels", std::move(pods)}}}};
  if (any_namespace) peer["namespaceSelector"] = Json::object();
  return peer;
}

Json Allow(Json peers, int port) {
  return {{"from", std::move(peers)}, {"ports", Json::array({{{"protocol", "TCP"}, {"port", port}}})}};
}

// Only what comes in: what the pods reach out to (the API server, DNS) has no label.
Json NetworkPolicy(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const Json selector = BackendSelector(cluster.name, backend.name, kPostgresRole);
  const Json family = {{kClusterLabel, cluster.name}};
  const Json oper = {{"app.kubernetes.io/name", kFieldManager}};
  Json object =
      Object(cluster, backend, kube::kinds::kNetworkPolicy, BackendName(cluster.name, backend.name), kPostgresRole);
  object["spec"] = {
      {"podSelector", {{"matchLabels", selector}}},
      {"policyTypes", {"Ingress"}},
      {"ingress", Json::array({Allow(Json::array({From(family, false), From(oper, true)}), kPostgresPort),
                               Allow(Json::array({From(selector, false), From(oper, true)}), kPatroniPort)})}};
  if (backend.postgres()->autogrow) {
    object["spec"]["ingress"].push_back(Allow(Json::array({From(oper, true)}), kVolumePort));
  }
  if (backend.postgres()->backup) {
    const Json repository = BackendSelector(cluster.name, backend.name, kBackupRole);
    object["spec"]["ingress"].push_back(Allow(Json::array({From(repository, false)}), kBackRestPort));
    object["spec"]["ingress"].push_back(Allow(Json::array({From(oper, true)}), kBackupPort));
  }
  return object;
}

Json DisruptionBudget(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Json object = Object(cluster, backend, kube::kinds::kPodDisruptionBudget, BackendName(cluster.name, backend.name),
                       kPostgresRole);
  object["spec"] = {{"maxUnavailable", 1},
                    {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
                    {"selector", {{"matchLabels", BackendSelector(cluster.name, backend.name, kPostgresRole)}}}};
  return object;
}

}  // namespace

std::vector<DesiredObject> BuildPostgresAccess(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  Json account =
      Object(cluster, backend, kube::kinds::kServiceAccount, BackendName(cluster.name, backend.name), kPostgresRole);
  account["automountServiceAccountToken"] = false;
  std::vector<DesiredObject> objects;
  objects.push_back({kube::kinds::kServiceAccount, std::move(account)});
  objects.push_back({kube::kinds::kRole, Role(cluster, backend)});
  objects.push_back({kube::kinds::kRoleBinding, RoleBinding(cluster, backend)});
  objects.push_back({kube::kinds::kService, PodsService(cluster, backend)});
  objects.push_back({kube::kinds::kService,
                     Service(cluster, backend, PrimaryServiceName(cluster.name, backend.name), kPatroniPrimary)});
  objects.push_back({kube::kinds::kService,
                     Service(cluster, backend, ReplicasServiceName(cluster.name, backend.name), kPatroniReplica)});
  objects.push_back({kube::kinds::kNetworkPolicy, NetworkPolicy(cluster, backend)});
  objects.push_back({kube::kinds::kPodDisruptionBudget, DisruptionBudget(cluster, backend)});
  return objects;
}

}  // namespace holdfast::resources
