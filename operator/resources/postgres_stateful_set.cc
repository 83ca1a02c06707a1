// The servers: a StatefulSet of pods that run Patroni. They meet the restricted Pod Security Standard; their token of
// the Kubernetes API is what Patroni keeps its state with.
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// A primary writes a checkpoint and waits for its standbys before it ends.
constexpr int kTerminationGraceSeconds = 120;
constexpr int kRevisionHistory = 3;
// root's files, read by the group: PostgreSQL refuses a key that others can read.
constexpr int kSecretMode = 0440;

Json FieldVariable(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

Json Variable(const char* name, const std::string& value) {
  return {{"name", name}, {"value", value}};
}

std::string OnPod(int port) {
  return "$(POD_IP):" + std::to_string(port);
}

// Patroni takes the environment over its file.
Json PatroniEnvironment() {
  Json environment = RenderEnvironment();
  environment.push_back(FieldVariable("PATRONI_NAME", "metadata.name"));
  for (const auto& [name, value] : std::vector<std::pair<const char*, std::string>>{
           {"PATRONI_KUBERNETES_POD_IP", "$(POD_IP)"},
           {"PATRONI_RESTAPI_LISTEN", OnPod(kPatroniPort)},
           {"PATRONI_RESTAPI_CONNECT_ADDRESS", OnPod(kPatroniPort)},
           {"PATRONI_POSTGRESQL_LISTEN", OnPod(kPostgresPort)},
           {"PATRONI_POSTGRESQL_CONNECT_ADDRESS", OnPod(kPostgresPort)},
           {"PATRONI_POSTGRESQL_DATA_DIR", PathIn(kPostgresPath, "data")},
           {"PATRONI_POSTGRESQL_PGPASS", PathIn(kPostgresRunPath, "pgpass")}}) {
    environment.push_back(Variable(name, value));
  }
  return environment;
}

Json Mounts() {
  return Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                      Mount("tls", kTlsPath, true), Mount("rendered", kPatroniPath, false),
                      Mount("run", kPostgresRunPath, false), Mount("tmp", "/tmp", false),
                      Mount(kPostgresVolume, kPostgresPath, false)});
}

Json Container(const api::PostgresBackend& postgres, const BuildOptions& options) {
  Json container = {
      {"name", "postgres"},
      {"image", options.postgres_image},
      {"imagePullPolicy", "IfNotPresent"},
      {"command",
       {"sh", PathIn(kTemplatesPath, "patroni.sh"), kPatroniPath, PathIn(kCredentialsPath, kPatroniLoginsFile)}},
      {"env", PatroniEnvironment()},
      {"ports", Json::array({{{"name", "postgres"}, {"containerPort", kPostgresPort}, {"protocol", "TCP"}},
                             {{"name", "patroni"}, {"containerPort", kPatroniPort}, {"protocol", "TCP"}}})},
      {"resources", ContainerResources(postgres.resource_requests, postgres.resource_limits, "250m", "512Mi")},
      // Before Patroni answers for the first time.
      {"startupProbe", HttpProbe("/liveness", "patroni", "HTTPS", 2, 2, 60)},
      {"livenessProbe", HttpProbe("/liveness", "patroni", "HTTPS", 10, 5, 3)},
      {"readinessProbe", HttpProbe("/readiness", "patroni", "HTTPS", 2, 2, 2)},
      {"securityContext", ContainerSecurityContext()},
      {"volumeMounts", Mounts()}};
  // PostgreSQL itself hands pgBackRest what is to be archived.
  if (postgres.backup) container["volumeMounts"].push_back(Mount("rendered", kBackRestPath, true));
  return container;
}

// What a container gets mounted there by itself is the pod's token; one that has a mount of its own there gets none.
constexpr char kTokenPath[] = "/var/run/secrets/kubernetes.io/serviceaccount";

// Tells the operator how full the volume is. Of all that the server has it sees the data only, and cannot write it.
Json VolumeContainer(const BuildOptions& options) {
  return {{"name", "volume"},
          {"image", options.postgres_image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command",
           {"python3", "-I", PathIn(kTemplatesPath, kVolumeScript), "$(POD_IP)", std::to_string(kVolumePort),
            kPostgresPath}},
          {"env", Json::array({FieldVariable("POD_IP", "status.podIP")})},
          {"ports", Json::array({{{"name", "volume"}, {"containerPort", kVolumePort}, {"protocol", "TCP"}}})},
          {"resources", ContainerResources(Json::object(), Json::object(), "5m", "24Mi")},
          {"securityContext", ContainerSecurityContext()},
          {"volumeMounts",
           Json::array({Mount("templates", kTemplatesPath, true), Mount(kPostgresVolume, kPostgresPath, true),
                        Mount("no-token", kTokenPath, true)})}};
}

Json Scheduling(const api::StorageCluster& cluster, const api::BackendSpec& backend, Json* pod) {
  KeepApart({{"matchLabels", BackendSelector(cluster.name, backend.name, kPostgresRole)}}, {kZoneKey}, pod);
  return *pod;
}

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options) {
  const std::string target(kPatroniPath);
  Json containers = Json::array({Container(*backend.postgres(), options)});
  if (backend.postgres()->autogrow) containers.push_back(VolumeContainer(options));
  std::vector<std::string> templates = {PathIn(kTemplatesPath, "patroni.yml"), PathIn(target, "patroni.yml"),
                                        PathIn(kTemplatesPath, "application.sql"), PathIn(target, "application.sql")};
  if (backend.postgres()->backup) {
    containers.push_back(MemberBackupContainer(options));
    for (std::string& path : MemberBackupTemplates(target)) templates.push_back(std::move(path));
  }
  Json pod = {
      {"serviceAccountName", BackendName(cluster.name, backend.name)},
      {"automountServiceAccountToken", true},
      {"enableServiceLinks", false},
      {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
      {"securityContext", PodSecurityContext()},
      {"initContainers", Json::array({RenderContainer(options.postgres_image, templates, Mounts())})},
      {"containers", std::move(containers)},
      {"volumes", Json::array({ConfigMapVolume("templates", BackendConfigName(cluster.name, backend.name)),
                               SecretVolume("credentials", CredentialsName(cluster.name, backend.name), kSecretMode),
                               SecretVolume("tls", ServerTlsName(cluster.name, backend.name), kSecretMode),
                               MemoryVolume("rendered"), EmptyVolume("run"), EmptyVolume("tmp")})}};
  if (backend.postgres()->autogrow || backend.postgres()->backup) pod["volumes"].push_back(EmptyVolume("no-token"));
  return Scheduling(cluster, backend, &pod);
}

Json ClaimTemplate(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  const api::PostgresBackend& postgres = *backend.postgres();
  Json spec = {{"accessModes", {"ReadWriteOnce"}},
               {"resources", {{"requests", {{"storage", BytesText(Bytes(postgres.storage_size))}}}}}};
  if (postgres.storage_class_name) spec["storageClassName"] = *postgres.storage_class_name;
  return {{"apiVersion", "v1"},
          {"kind", "PersistentVolumeClaim"},
          {"metadata", {{"name", kPostgresVolume}, {"labels", BackendLabels(cluster, backend.name, kPostgresRole)}}},
          {"spec", std::move(spec)}};
}

}  // namespace

Json RenderEnvironment() {
  return Json::array({FieldVariable("POD_IP", "status.podIP"), Variable("CREDENTIALS_DIR", kCredentialsPath),
                      Variable("TLS_DIR", kTlsPath), Variable("PATRONI_DIR", kPatroniPath),
                      Variable("PGBOUNCER_DIR", kPgBouncerPath), Variable("RUN_DIR", kPostgresRunPath)});
}

Json RenderContainer(const std::string& image, const std::vector<std::string>& pairs, const Json& mounts) {
  Json command = Json::array({"sh", PathIn(kTemplatesPath, "render.sh")});
  for (const std::string& path : pairs) command.push_back(path);
  return {{"name", "render"},
          {"image", image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command", std::move(command)},
          {"env", RenderEnvironment()},
          {"resources", ContainerResources(Json::object(), Json::object(), "10m", "16Mi")},
          {"securityContext", ContainerSecurityContext()},
          {"volumeMounts", mounts}};
}

Json BuildPostgresStatefulSet(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                              const BuildOptions& options, const std::string& config_checksum) {
  Json labels = BackendLabels(cluster, backend.name, kPostgresRole);
  Json object = ChildObject(cluster, kube::kinds::kStatefulSet, BackendName(cluster.name, backend.name));
  object["metadata"]["labels"] = labels;
  object["metadata"]["annotations"][kPatroniConfigurationAnnotation] =
      Hash(DynamicConfiguration(cluster, *backend.postgres()));
  labels[kPatroniScopeLabel] = PatroniScope(cluster.name, backend.name);
  object["spec"] = {
      {"replicas", cluster.hibernated ? 0 : backend.postgres()->instances},
      {"serviceName", PodsServiceName(cluster.name, backend.name)},
      {"selector", {{"matchLabels", BackendSelector(cluster.name, backend.name, kPostgresRole)}}},
      // Members wait for the leader by themselves; one that does not get ready must not keep the others from starting.
      {"podManagementPolicy", "Parallel"},
      // The operator replaces members itself, in an order that only who knows the primary can tell.
      {"updateStrategy", {{"type", "OnDelete"}}},
      {"revisionHistoryLimit", kRevisionHistory},
      {"persistentVolumeClaimRetentionPolicy", {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}}},
      {"template",
       {{"metadata", {{"labels", std::move(labels)}, {"annotations", {{kConfigChecksumAnnotation, config_checksum}}}}},
        {"spec", PodSpec(cluster, backend, options)}}},
      {"volumeClaimTemplates", Json::array({ClaimTemplate(cluster, backend)})}};
  return object;
}

}  // namespace holdfast::resources
