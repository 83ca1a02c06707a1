// The Job that migrates the schema of a backend, with the image of the service that is to run on it.
#include "operator/resources/names.h"
#include "operator/resources/pod_parts.h"
#include "operator/resources/postgres.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// The runner waits for locks, for another run and for the server by itself; these are for what it gives up on.
constexpr int kRetries = 4;
constexpr int kSecretMode = 0440;
// Exit codes of `holdfast migrate` that another try would only repeat: wrong usage or settings, a schema that is not
// what this binary can migrate.
constexpr int kUsage = 2;
constexpr int kSchema = 3;
constexpr std::size_t kHashLength = 10;

Json PodSpec(const api::StorageCluster& cluster, const api::BackendSpec& backend, const BuildOptions& options) {
  VolumesAndMounts access = BackendAccess(cluster, backend);
  access.volumes.push_back(ConfigMapVolume("config", BackendConfigName(cluster.name, backend.name)));
  access.mounts.push_back(Mount("config", kConfigPath, true));
  Json command = {"holdfast",  "migrate",   "up", "--config", PathIn(kConfigPath, "migrate.yaml"),
                  "--backend", backend.name};
  if (backend.external_postgres() != nullptr) {
    command.push_back("--url-file");
    command.push_back(PathIn(PathIn(kBackendsPath, backend.name), "url"));
  }
  return {{"serviceAccountName", cluster.name},
          {"automountServiceAccountToken", false},
          {"enableServiceLinks", false},
          {"restartPolicy", "Never"},
          {"securityContext", PodSecurityContext()},
          {"containers",
           Json::array({{{"name", "migrate"},
                         {"image", options.service_image},
                         {"imagePullPolicy", "IfNotPresent"},
                         {"command", std::move(command)},
                         {"resources", ContainerResources(Json::object(), Json::object(), "100m", "128Mi")},
                         // The end of its log becomes the condition's message; nothing has to read logs for it.
                         {"terminationMessagePolicy", "FallbackToLogsOnError"},
                         {"securityContext", ContainerSecurityContext()},
                         {"volumeMounts", std::move(access.mounts)}}})},
          {"volumes", std::move(access.volumes)}};
}

}  // namespace

VolumesAndMounts BackendAccess(const api::StorageCluster& cluster, const api::BackendSpec& backend) {
  VolumesAndMounts access;
  const std::string folder = PathIn(kBackendsPath, backend.name);
  // `files`: by the keys of the Secret.
  const auto add = [&](const std::string& part, const std::string& secret, const Json& files, const std::string& path) {
    const std::string volume = std::string("backend-").append(backend.name).append(part);
    Json source = SecretVolume(volume.c_str(), secret, kSecretMode);
    for (const auto& [key, file] : files.items()) {
      source["secret"]["items"].push_back({{"key", key}, {"path", file}});
    }
    access.volumes.push_back(std::move(source));
    access.mounts.push_back(Mount(volume.c_str(), path, true));
  };
  if (const api::ExternalPostgresBackend* external = backend.external_postgres()) {
    add("", external->secret_name, {{external->secret_key, "url"}}, folder);
  } else if (const api::ExternalRedisBackend* other = backend.external_redis()) {
    Json files = {{kUrlFile, kUrlFile}};
    if (other->password_key) files[*other->password_key] = kPasswordFile;
    if (other->authority_key) files[*other->authority_key] = kAuthorityFile;
    add("", other->secret_name, files, folder);
  } else if (backend.redis() != nullptr) {
    add("-login", CredentialsName(cluster.name, backend.name), {{kApplicationPassword, kApplicationPassword}},
        PathIn(folder, "credentials"));
    add("-tls", ServerTlsName(cluster.name, backend.name), {{kAuthorityFile, kAuthorityFile}}, PathIn(folder, "tls"));
  } else if (backend.postgres() != nullptr) {
    // Of either Secret only what a client needs; of both logins, so that a container that is started again while the
    // service moves over to the other one finds what its settings name by then.
    add("-login", CredentialsName(cluster.name, backend.name),
        {{kApplicationPassword, kApplicationPassword}, {kSecondApplicationPassword, kSecondApplicationPassword}},
        PathIn(folder, "credentials"));
    add("-tls", ServerTlsName(cluster.name, backend.name), {{kAuthorityFile, kAuthorityFile}}, PathIn(folder, "tls"));
  }
  return access;
}

DesiredObject BuildMigrationJob(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                const BuildOptions& options) {
  const Json pod = PodSpec(cluster, backend, options);
  // The settings of the first login, whoever logs in: another one is no reason to migrate again.
  const std::string hash = Hash({{"pod", pod}, {"settings", BackendFiles(cluster, backend).at("migrate.yaml")}});
  const std::string digits = hash.substr(hash.find(':') + 1, kHashLength);
  DesiredObject made;
  made.kind = kube::kinds::kJob;
  made.stage = Stage::kMigration;
  made.backend = backend.name;
  made.object = ChildObject(cluster, made.kind, BackendName(cluster.name, backend.name) + "-migrate-" + digits);
  const Json labels = BackendLabels(cluster, backend.name, kMigrationRole);
  made.object["metadata"]["labels"] = labels;
  made.object["spec"] = {
      {"backoffLimit", kRetries},
      {"podFailurePolicy",
       {{"rules",
         Json::array(
             {{{"action", "FailJob"},
               {"onExitCodes", {{"containerName", "migrate"}, {"operator", "In"}, {"values", {kUsage, kSchema}}}}}})}}},
      {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod}}}};
  return made;
}

}  // namespace holdfast::resources
