#include "operator/resources/postgres.h"

#include "operator/api/v1/postgres_rules.h"
#include "operator/resources/names.h"
#include "operator/resources/postgres_backup.h"

namespace holdfast::resources {
namespace {

using kube::Json;

// Of what a pod reads when it starts: some of the files, and the Secrets beside them.
std::string Checksum(const Json& files, std::initializer_list<const char*> names, const BuildOptions& options,
                     std::initializer_list<std::string> secrets) {
  Json read = Json::object();
  for (const char* name : names) read[name] = files.at(name);
  for (const std::string& secret : secrets) {
    const auto known = options.secret_checksums.find(secret);
    if (known != options.secret_checksums.end()) read["secrets"][secret] = known->second;
  }
  return Hash(read);
}

}  // namespace

std::vector<DesiredObject> BuildPostgres(const api::StorageCluster& cluster, const api::BackendSpec& backend,
                                         const BuildOptions& options) {
  const std::string tls = ServerTlsName(cluster.name, backend.name);
  Json config = ChildObject(cluster, kube::kinds::kConfigMap, BackendConfigName(cluster.name, backend.name));
  config["metadata"]["labels"] = BackendLabels(cluster, backend.name, kPostgresRole);
  config["data"] = BackendFiles(cluster, backend, options.LoginOf(backend.name));
  Json files = config.at("data");

  std::vector<DesiredObject> objects;
  objects.push_back({kube::kinds::kConfigMap, std::move(config)});
  if (backend.postgres() == nullptr) return objects;
  for (DesiredObject& object : BuildPostgresAccess(cluster, backend)) objects.push_back(std::move(object));
  // What members follow while they run is no reason to restart them; of it only what servers take at their start is.
  Json patroni = files;
  patroni["patroni.yml"] = StaticPatroniSettings(cluster, backend);
  for (const std::string& name : api::RestartingPostgresParameters()) {
    const auto given = backend.postgres()->parameters.find(name);
    if (given != backend.postgres()->parameters.end()) patroni["patroni.yml"]["restarting"][name] = given->second;
  }
  if (backend.postgres()->backup) {
    patroni["patroni.yml"]["backup"] = {files.at(kBackRestFile), files.at(kBackupProgram)};
  }
  const std::string started_with = Checksum(patroni, {"patroni.yml", "patroni.sh", "render.sh"}, options, {tls});
  // First, since a database that is restored waits for it.
  for (DesiredObject& object : BuildPostgresBackup(cluster, backend, options, files)) {
    objects.push_back(std::move(object));
  }
  objects.push_back({kube::kinds::kStatefulSet, BuildPostgresStatefulSet(cluster, backend, options, started_with)});
  if (backend.postgres()->pooler_instances > 0) {
    const std::string checksum = Checksum(files, {"pgbouncer.ini", "pooler.sh", "render.sh"}, options, {tls});
    for (DesiredObject& object : BuildPooler(cluster, backend, options, checksum)) objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace holdfast::resources
