#include <optional>
#include <ostream>

#include "base/config/yaml.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"
#include "operator/cli/manifest_input.h"
#include "operator/resources/build.h"

namespace holdfast::cli {
namespace {

constexpr char kCommand[] = "holdfast-operator plan";

constexpr char kUsage[] = R"(usage: holdfast-operator plan -f FILE [-n NAMESPACE] [--service-image IMAGE]
                               [--postgres-image IMAGE] [--redis-image IMAGE]

Prints every object the operator would apply for the StorageClusters in FILE, as YAML, without a cluster; of Secrets,
whose contents are made in the cluster, only the names. Everything that is wrong with them is reported at once, with its
path, and the exit status is 1.

  -f, --filename FILE    a YAML file with one or more StorageClusters; - reads standard input
  -n, --namespace NAME   for StorageClusters that name none (default: default)
  --service-image IMAGE  the state service's image (default: the one of this version)
  --postgres-image IMAGE the image of PostgreSQL's pods (default: the one of this version)
  --redis-image IMAGE    the image of Redis' pods that name none (default: the one of this version)
)";

struct PlanOptions {
  std::string file;
  std::string ns = "default";
  std::string service_image = DefaultServiceImage();
  std::string postgres_image = DefaultPostgresImage();
  std::string redis_image = DefaultRedisImage();
};

// Nothing when the arguments make no sense; what is wrong has been printed.
std::optional<PlanOptions> ParseArguments(const Arguments& arguments, const Streams& streams) {
  PlanOptions options;
  const bool good = ParseFlags(
      kCommand, arguments,
      {TextFlag({"-f", "--filename"}, &options.file), TextFlag({"-n", "--namespace"}, &options.ns),
       TextFlag({"--service-image"}, &options.service_image), TextFlag({"--postgres-image"}, &options.postgres_image),
       TextFlag({"--redis-image"}, &options.redis_image)},
      streams.error);
  if (!good) return std::nullopt;
  if (options.file.empty()) {
    streams.error << kCommand << ": -f FILE is missing; - reads standard input\n";
    return std::nullopt;
  }
  return options;
}

}  // namespace

int RunPlan(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  const auto options = ParseArguments(arguments, streams);
  if (!options) return 2;
  const auto text = ReadManifestInput(options->file, streams.in);
  if (!text.ok()) {
    streams.error << kCommand << ": " << text.error().message() << "\n";
    return 2;
  }
  const std::string name = NameOfInput(options->file);
  const auto documents = config::ParseYamlDocuments(*text, name);
  if (!documents.ok()) {
    streams.error << documents.error().message() << "\n";
    return 1;
  }
  if (documents->empty()) {
    streams.error << name << ": there is no object in it\n";
    return 1;
  }

  std::vector<api::StorageCluster> clusters;
  bool refused = false;
  for (std::size_t i = 0; i < documents->size(); ++i) {
    api::ParsedStorageCluster parsed = api::ParseStorageCluster((*documents)[i]);
    for (const api::FieldError& error : parsed.errors) {
      refused = true;
      streams.error << name << ", object " << i + 1 << ": " << error.ToString() << "\n";
    }
    if (parsed.cluster) clusters.push_back(*std::move(parsed.cluster));
  }
  if (refused) return 1;
  for (api::StorageCluster& cluster : clusters) {
    if (cluster.ns.empty()) cluster.ns = options->ns;
    streams.out << "# StorageCluster " << cluster.ns << "/" << cluster.name
                << "; in a cluster each object also names it as its owner.\n";
    for (const std::string& secret : resources::SecretNames(cluster)) {
      streams.out << "# Secret " << cluster.ns << "/" << secret << " with generated contents\n";
    }
    for (const resources::DesiredObject& object :
         resources::BuildObjects(cluster, {options->service_image, options->postgres_image, options->redis_image})) {
      streams.out << "---\n" << config::ToYaml(object.object);
    }
  }
  return 0;
}

}  // namespace holdfast::cli
