#include "operator/resources/names.h"

namespace holdfast::resources {

std::string ConfigMapName(std::string_view cluster) {
  return std::string(cluster) + "-config";
}

std::string HeadlessServiceName(std::string_view cluster) {
  return std::string(cluster) + "-headless";
}

std::string ClaimName(std::string_view cluster, std::int64_t ordinal) {
  return std::string(kDataVolume) + "-" + std::string(cluster) + "-" + std::to_string(ordinal);
}

kube::Json PodSelector(std::string_view cluster) {
  return {{"app.kubernetes.io/component", "state-service"}, {kClusterLabel, cluster}};
}

std::string PodSelectorText(std::string_view cluster) {
  const kube::Json selector = PodSelector(cluster);
  std::string text;
  for (const auto& [label, value] : selector.items()) {
    text += (text.empty() ? "" : ",") + label + "=" + value.get<std::string>();
  }
  return text;
}

kube::Json ChildLabels(const api::StorageCluster& cluster) {
  kube::Json labels = PodSelector(cluster.name);
  labels["app.kubernetes.io/name"] = "holdfast";
  labels["app.kubernetes.io/instance"] = cluster.name;
  labels["app.kubernetes.io/part-of"] = "holdfast";
  labels[kManagedByLabel] = kFieldManager;
  if (!cluster.uid.empty()) labels[kOwnerUidLabel] = cluster.uid;
  return labels;
}

std::string Endpoint(const api::StorageCluster& cluster) {
  return "http://" + cluster.name + "." + cluster.ns + ".svc:" + std::to_string(kDataPort);
}

}  // namespace holdfast::resources
