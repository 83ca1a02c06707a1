// The Services, the ServiceAccount and the disruption budget: how the pods are reached, known and protected.
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::resources {
namespace {

kube::Json Ports(const api::StorageCluster& cluster) {
  return kube::Json::array({{{"name", "data"},
                             {"port", kDataPort},
                             {"targetPort", "data"},
                             {"protocol", "TCP"},
                             {"appProtocol", cluster.spec.service.tls ? "https" : "http"}},
                            {{"name", "admin"},
                             {"port", kAdminPort},
                             {"targetPort", "admin"},
                             {"protocol", "TCP"},
                             {"appProtocol", "http"}}});
}

}  // namespace

kube::Json BuildServiceAccount(const api::StorageCluster& cluster) {
  kube::Json object = ChildObject(cluster, kube::kinds::kServiceAccount, cluster.name);
  object["automountServiceAccountToken"] = false;
  return object;
}

kube::Json BuildClientService(const api::StorageCluster& cluster) {
  kube::Json object = ChildObject(cluster, kube::kinds::kService, cluster.name);
  object["spec"] = {{"type", "ClusterIP"}, {"selector", PodSelector(cluster.name)}, {"ports", Ports(cluster)}};
  return object;
}

kube::Json BuildHeadlessService(const api::StorageCluster& cluster) {
  kube::Json object = ChildObject(cluster, kube::kinds::kService, HeadlessServiceName(cluster.name));
  // Pods get their DNS names before they are ready: peers and people have to reach one that is still starting.
  object["spec"] = {{"clusterIP", "None"},
                    {"publishNotReadyAddresses", true},
                    {"selector", PodSelector(cluster.name)},
                    {"ports", Ports(cluster)}};
  return object;
}

kube::Json BuildPodDisruptionBudget(const api::StorageCluster& cluster) {
  kube::Json object = ChildObject(cluster, kube::kinds::kPodDisruptionBudget, cluster.name);
  // One at a time rather than none: minAvailable 1 on a single replica would block every node drain for ever.
  object["spec"] = {{"maxUnavailable", 1},
                    {"unhealthyPodEvictionPolicy", "AlwaysAllow"},
                    {"selector", {{"matchLabels", PodSelector(cluster.name)}}}};
  return object;
}

kube::Json BuildAutoscaler(const api::StorageCluster& cluster) {
  const api::Autoscaling& autoscaling = *cluster.spec.service.autoscaling;
  kube::Json object = ChildObject(cluster, kube::kinds::kHorizontalPodAutoscaler, cluster.name);
  const kube::ResourceKind& target = kube::kinds::kDeployment;
  object["spec"] = {
      {"scaleTargetRef", {{"apiVersion", target.api_version()}, {"kind", target.kind}, {"name", cluster.name}}},
      {"minReplicas", autoscaling.min_replicas},
      {"maxReplicas", autoscaling.max_replicas},
      {"metrics",
       kube::Json::array(
           {{{"type", "Resource"},
             {"resource",
              {{"name", "cpu"},
               {"target", {{"type", "Utilization"}, {"averageUtilization", autoscaling.target_cpu_percent}}}}}}})}};
  return object;
}

}  // namespace holdfast::resources
