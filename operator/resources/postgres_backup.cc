#include "operator/resources/postgres_backup.h"

#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

constexpr int kRevisionHistory = 3;
constexpr int kSecretMode = 0440;
// What ends within is left as it is: a backup is tried again.
constexpr int kTerminationGraceSeconds = 30;
constexpr char kOperatorName[] = "app.kubernetes.io/name";

// What a pod that serves a repository needs to know of it.
struct Served {
  const std::optional<api::S3Repository>& s3;
  const std::optional<api::SecretKey>& passphrase;
};

Json CredentialsVolume(const Served& served) {
  Json sources = Json::array();
  const auto add = [&](const api::SecretKey& secret, const char* file) {
    sources.push_back(
        {{"secret", {{"name", secret.name}, {"items", Json::array({{{"key", secret.key}, {"path", file}}})}}}});
  };
  if (served.passphrase) add(*served.passphrase, kPassphraseFile);
  if (served.s3) {
    add(served.s3->access_key, kS3AccessKeyFile);
    add(served.s3->secret_key, kS3SecretKeyFile);
    if (served.s3->authority) add(*served.s3->authority, kS3AuthorityFile);
  }
  return {{"name", "credentials"}, {"projected", {{"sources", std::move(sources)}, {"defaultMode", kSecretMode}}}};
}

// Who serves a repository: the backend's own, or for a restore another's.
class Builder {
 public:
  Builder(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options,
          const Json& files)
      : cluster_(cluster), backend_(backend), options_(options), files_(files) {}

  std::vector<DesiredObject> Build() {
    const api::PostgresBackend& postgres = *backend_.postgres();
    if (postgres.backup) Add(kBackupRole, BackupName(cluster_.name, backend_.name), "repository.conf", "repository");
    if (postgres.restore)
      Add(kSourceRole, SourceName(cluster_.name, backend_.name), "source-repository.conf", "source");
    return std::move(objects_);
  }

 private:
  Json& Object(const kube::ResourceKind& kind, const char* role, const std::string& name) {
    objects_.push_back({kind, ChildObject(cluster_, kind, name)});
    objects_.back().object["metadata"]["labels"] = BackendLabels(cluster_, backend_.name, role);
    return objects_.back().object;
  }
  Json Selector(const char* role) const { return BackendSelector(cluster_.name, backend_.name, role); }

  void Add(const char* role, const std::string& name, const char* configuration, const char* mode) {
    const bool own = std::string_view(role) == kBackupRole;
    const auto port = [](const char* of, int number) {
      return Json{{"name", of}, {"port", number}, {"targetPort", of}, {"protocol", "TCP"}};
    };
    Object(kube::kinds::kService, role, name)["spec"] = {
        {"clusterIP", "None"},
        {"publishNotReadyAddresses", true},
        {"selector", Selector(role)},
        {"ports", Json::array({port("pgbackrest", kBackRestPort), port("backup", kBackupPort)})}};
    Object(kube::kinds::kNetworkPolicy, role, name)["spec"] = {
        {"podSelector", {{"matchLabels", Selector(role)}}},
        {"policyTypes", {"Ingress"}},
        {"ingress",
         Json::array({{{"from", Json::array({{{"podSelector", {{"matchLabels", Selector(kPostgresRole)}}}}})},
                       {"ports", Json::array({{{"protocol", "TCP"}, {"port", kBackRestPort}}})}},
                      {{"from", Json::array({{{"podSelector", {{"matchLabels", {{kOperatorName, kFieldManager}}}}},
                                              {"namespaceSelector", Json::object()}}})},
                       {"ports", Json::array({{{"protocol", "TCP"}, {"port", kBackupPort}}})}}})}};
    Json spec = {{"replicas", cluster_.hibernated ? 0 : 1},
                 {"serviceName", name},
                 {"selector", {{"matchLabels", Selector(role)}}},
                 {"podManagementPolicy", "Parallel"},
                 {"updateStrategy", {{"type", "RollingUpdate"}}},
                 {"revisionHistoryLimit", kRevisionHistory},
                 {"template",
                  {{"metadata",
                    {{"labels", BackendLabels(cluster_, backend_.name, role)},
                     {"annotations", {{kConfigChecksumAnnotation, Checksum(configuration)}}}}},
                   {"spec", Pod(role, configuration, mode)}}}};
    if (own && !backend_.postgres()->backup->s3) {
      spec["persistentVolumeClaimRetentionPolicy"] = {{"whenDeleted", "Retain"}, {"whenScaled", "Retain"}};
      spec["volumeClaimTemplates"] = Json::array({ClaimTemplate()});
    }
    Object(kube::kinds::kStatefulSet, role, name)["spec"] = std::move(spec);
  }

  // Of what the pod reads when it starts.
  std::string Checksum(const char* configuration) const {
    Json read = Json::object();
    for (const char* name : {configuration, kBackupProgram, "render.sh"}) read["files"][name] = files_.at(name);
    const auto tls = options_.secret_checksums.find(ServerTlsName(cluster_.name, backend_.name));
    if (tls != options_.secret_checksums.end()) read["tls"] = tls->second;
    return Hash(read);
  }

  Json Mounts(bool read_only) const {
    Json mounts = Json::array({Mount("templates", kTemplatesPath, true), Mount("tls", kTlsPath, true),
                               Mount("rendered", kBackRestPath, false), Mount("tmp", "/tmp", false),
                               Mount(kRepositoryVolume, kRepositoryPath, read_only)});
    return mounts;
  }

  Served Repository(bool own) const {
    const api::PostgresBackend& postgres = *backend_.postgres();
    if (own) return {postgres.backup->s3, postgres.backup->passphrase};
    return {postgres.restore->s3, postgres.restore->passphrase};
  }

  Json Pod(const char* role, const char* configuration, const char* mode) const {
    const api::PostgresBackend& postgres = *backend_.postgres();
    const bool own = std::string_view(role) == kBackupRole;
    const Served served = Repository(own);
    Json mounts = Mounts(!own);
    Json to_render = mounts;
    Json volumes = Json::array({ConfigMapVolume("templates", BackendConfigName(cluster_.name, backend_.name)),
                                SecretVolume("tls", ServerTlsName(cluster_.name, backend_.name), kSecretMode),
                                MemoryVolume("rendered"), EmptyVolume("tmp")});
    if (served.passphrase || served.s3) {
      volumes.push_back(CredentialsVolume(served));
      to_render.push_back(Mount("credentials", kCredentialsPath, true));
    }
    // The passphrase of a repository that is written stays what it is.
    const bool follows = served.s3 || (!own && served.passphrase);
    if (follows) mounts.push_back(Mount("credentials", kCredentialsPath, true));
    if (served.s3) {
      // For what became of the last attempts.
      volumes.push_back(EmptyVolume(kRepositoryVolume));
    } else if (!own) {
      volumes.push_back({{"name", kRepositoryVolume},
                         {"persistentVolumeClaim", {{"claimName", postgres.restore->claim}, {"readOnly", true}}}});
    }
    return {{"serviceAccountName", cluster_.name},
            {"automountServiceAccountToken", false},
            {"enableServiceLinks", false},
            {"terminationGracePeriodSeconds", kTerminationGraceSeconds},
            {"securityContext", PodSecurityContext()},
            {"initContainers",
             Json::array({RenderContainer(options_.postgres_image,
                                          {PathIn(kTemplatesPath, configuration), PathIn(kBackRestPath, kBackRestFile)},
                                          to_render)})},
            {"containers", Json::array({BackupContainer(mode, follows ? configuration : "", std::move(mounts))})},
            {"volumes", std::move(volumes)}};
  }

  // `followed`: the template of a configuration that is made anew when the credentials change; empty = none.
  Json BackupContainer(const char* mode, const std::string& followed, Json mounts) const {
    Json environment = RenderEnvironment();
    const auto add = [&](const char* name, const std::string& value) {
      environment.push_back({{"name", name}, {"value", value}});
    };
    add("REPOSITORY_DIR", kRepositoryPath);
    if (!followed.empty()) {
      add("REPOSITORY_TEMPLATE", PathIn(kTemplatesPath, followed));
      add("REPOSITORY_CONFIGURATION", PathIn(kBackRestPath, kBackRestFile));
    }
    return {{"name", mode},
            {"image", options_.postgres_image},
            {"imagePullPolicy", "IfNotPresent"},
            {"command",
             {"python3", PathIn(kTemplatesPath, kBackupProgram), mode, "$(POD_IP)", std::to_string(kBackupPort)}},
            {"env", std::move(environment)},
            {"ports", Json::array({{{"name", "pgbackrest"}, {"containerPort", kBackRestPort}, {"protocol", "TCP"}},
                                   {{"name", "backup"}, {"containerPort", kBackupPort}, {"protocol", "TCP"}}})},
            {"resources", ContainerResources(Json::object(), Json::object(), "50m", "128Mi")},
            // Of one that has nothing to restore from, the status of the cluster says why.
            {"terminationMessagePolicy", "FallbackToLogsOnError"},
            {"readinessProbe",
             {{"tcpSocket", {{"port", "pgbackrest"}}},
              {"periodSeconds", 5},
              {"timeoutSeconds", 3},
              {"failureThreshold", 2},
              {"successThreshold", 1}}},
            {"securityContext", ContainerSecurityContext()},
            {"volumeMounts", std::move(mounts)}};
  }

  Json ClaimTemplate() const {
    const api::PostgresBackup& backup = *backend_.postgres()->backup;
    Json spec = {{"accessModes", {"ReadWriteOnce"}},
                 {"resources", {{"requests", {{"storage", BytesText(Bytes(backup.storage_size))}}}}}};
    if (backup.storage_class_name) spec["storageClassName"] = *backup.storage_class_name;
    return {
        {"apiVersion", "v1"},
        {"kind", "PersistentVolumeClaim"},
        {"metadata", {{"name", kRepositoryVolume}, {"labels", BackendLabels(cluster_, backend_.name, kBackupRole)}}},
        {"spec", std::move(spec)}};
  }

  const api::StorageCluster& cluster_;
  const api::BackendSpec& backend_;
  const BuildOptions& options_;
  const Json& files_;
  std::vector<DesiredObject> objects_;
};

}  // namespace

std::vector<DesiredObject> BuildPostgresBackup(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                               const BuildOptions& options, const Json& files) {
  return Builder(cluster, backend, options, files).Build();
}

Json MemberBackupContainer(const BuildOptions& options) {
  return {{"name", "backup"},
          {"image", options.postgres_image},
          {"imagePullPolicy", "IfNotPresent"},
          {"command",
           {"python3", PathIn(kTemplatesPath, kBackupProgram), "member", "$(POD_IP)", std::to_string(kBackupPort)}},
          {"env", RenderEnvironment()},
          {"ports", Json::array({{{"name", "pgbackrest"}, {"containerPort", kBackRestPort}, {"protocol", "TCP"}},
                                 {{"name", "backup"}, {"containerPort", kBackupPort}, {"protocol", "TCP"}}})},
          {"resources", ContainerResources(Json::object(), Json::object(), "20m", "64Mi")},
          {"securityContext", ContainerSecurityContext()},
          {"volumeMounts",
           Json::array({Mount("templates", kTemplatesPath, true), Mount("credentials", kCredentialsPath, true),
                        Mount("tls", kTlsPath, true), Mount("rendered", kBackRestPath, true),
                        Mount("run", kPostgresRunPath, false), Mount("tmp", "/tmp", false),
                        // It reads the data only.
                        Mount(kPostgresVolume, kPostgresPath, true),
                        Mount("no-token", "/var/run/secrets/kubernetes.io/serviceaccount", true)})}};
}

std::vector<std::string> MemberBackupTemplates(const std::string& folder) {
  return {PathIn(kTemplatesPath, kBackRestFile), PathIn(folder, kBackRestFile)};
}

}  // namespace holdfast::resources
