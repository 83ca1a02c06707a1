#include "operator/resources/names.h"

namespace holdfast::resources {

std::string ConfigMapName(std::string_view cluster) {
  return std::string(cluster) + "-config";
}

std::string HeadlessServiceName(std::string_view cluster) {
  return std::string(cluster) + "-headless";
}

std::string ReplicaVolumeName(std::string_view backend) {
  return "replica-" + std::string(backend);
}

std::string ReplicaClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal) {
  return ReplicaVolumeName(backend) + "-" + std::string(cluster) + "-" + std::to_string(ordinal);
}

std::string ClaimName(std::string_view cluster, std::int64_t ordinal) {
  return std::string(kDataVolume) + "-" + std::string(cluster) + "-" + std::to_string(ordinal);
}

namespace {

std::string Joined(std::string_view cluster, std::string_view backend, std::string_view end) {
  std::string name(cluster);
  name.append("-").append(backend).append(end);
  return name;
}

}  // namespace

std::string BackendName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "");
}

std::string PatroniScope(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "");
}

std::string PatroniConfigName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-config");
}

std::string PodsServiceName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-pods");
}

std::string PrimaryServiceName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-primary");
}

std::string ReplicasServiceName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-replicas");
}

std::string PoolerName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-pooler");
}

std::string CredentialsName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-credentials");
}

std::string ServerTlsName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-tls");
}

std::string BackendConfigName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-settings");
}

std::string AuthorityName(std::string_view cluster) {
  return std::string(cluster) + "-ca";
}

std::string BackupTokenName(std::string_view cluster) {
  return std::string(cluster).append("-backup-token");
}

std::string ServiceTlsName(std::string_view cluster) {
  return std::string(cluster) + "-tls";
}

std::string ServiceCertificateName(const api::StorageCluster& cluster) {
  const api::ServiceTls& tls = *cluster.spec.service.tls;
  return tls.issued() ? ServiceTlsName(cluster.name) : tls.secret_name;
}

std::string PostgresClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal) {
  std::string name("pgdata-");
  return name.append(Joined(cluster, backend, "-")).append(std::to_string(ordinal));
}

std::string RedisClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal) {
  std::string name("redisdata-");
  return name.append(Joined(cluster, backend, "-")).append(std::to_string(ordinal));
}

std::string SentinelName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-sentinel");
}

std::string SentinelPodsServiceName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-sentinel-pods");
}

std::string SentinelClaimName(std::string_view cluster, std::string_view backend, std::int64_t ordinal) {
  std::string name("sentineldata-");
  return name.append(PodName(SentinelName(cluster, backend), ordinal));
}

std::string BackupName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-backup");
}

std::string RepositoryClaimName(std::string_view cluster, std::string_view backend) {
  std::string name(kRepositoryVolume);
  return name.append("-").append(PodName(BackupName(cluster, backend), 0));
}

std::string SourceName(std::string_view cluster, std::string_view backend) {
  return Joined(cluster, backend, "-source");
}

std::string PodName(std::string_view stateful_set, std::int64_t ordinal) {
  std::string name(stateful_set);
  return name.append("-").append(std::to_string(ordinal));
}

std::string ServiceHost(std::string_view service, std::string_view ns) {
  std::string host(service);
  return host.append(".").append(ns).append(".svc");
}

std::string PathIn(std::string_view folder, std::string_view file) {
  std::string path(folder);
  return path.append("/").append(file);
}

kube::Json BackendSelector(std::string_view cluster, std::string_view backend, std::string_view role) {
  return {{kClusterLabel, cluster}, {kBackendLabel, backend}, {kRoleLabel, role}};
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

kube::Json BackendLabels(const api::StorageCluster& cluster, std::string_view backend, std::string_view role) {
  kube::Json labels = ChildLabels(cluster);
  labels["app.kubernetes.io/component"] = role;
  labels.update(BackendSelector(cluster.name, backend, role));
  return labels;
}

std::string Endpoint(const api::StorageCluster& cluster) {
  return (cluster.spec.service.tls ? "https://" : "http://") + cluster.name + "." + cluster.ns +
         ".svc:" + std::to_string(kDataPort);
}

}  // namespace holdfast::resources
