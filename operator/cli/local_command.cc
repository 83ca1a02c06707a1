#include "operator/local/local_command.h"

#include <charconv>
#include <optional>
#include <ostream>

#include "base/config/yaml.h"
#include "base/log/log.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"
#include "operator/controllers/storagecluster/setup.h"

namespace holdfast::cli {
namespace {

constexpr char kUsage[] = R"(usage: holdfast-operator local -f FILE [-f FILE]... [FLAGS]

Runs StorageClusters on this machine, without Kubernetes: an API server, the operator and the pods as local processes,
until SIGINT or SIGTERM. kubectl works against it with --server http://127.0.0.1:8001.

  -f, --filename FILE  a YAML file of objects to apply; may be repeated; - reads standard input
  --root FOLDER        where volumes, logs and configuration live (default: .holdfast)
  --address ADDRESS    loopback address of the first pod (default: 127.0.0.1)
  --api-port PORT      port of the API server; 0 is any free one (default: 8001)
  --programs FOLDER    where the pods' programs are (default: beside this one)

Exit status: 0 stopped in order, 1 not ready in time or broken later, 2 it could not start: nothing was started then.
)";

std::optional<std::uint16_t> ParsePort(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// The rules that are CEL in the CustomResourceDefinition and that the local API server does not evaluate.
Status ValidateStorageCluster(const kube::Json& document) {
  if (!document.is_object() || document.value("kind", "") != api::kKind) return {};
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(document);
  if (parsed.errors.empty()) return {};
  std::string message;
  for (const api::FieldError& error : parsed.errors) message += (message.empty() ? "" : "; ") + error.ToString();
  return Error(ErrorCode::kInvalidArgument, message);
}

}  // namespace

int RunLocal(const Arguments& arguments, const Streams& streams) {
  if (AsksForHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  local::LocalOptions options;
  std::string root = options.root;
  std::string api_port = std::to_string(options.api_port);
  std::string programs;
  const bool usable = ParseFlags(arguments, "local",
                                 {{"--filename", "-f", nullptr, &options.manifests},
                                  {"--root", "", &root, nullptr},
                                  {"--address", "", &options.address, nullptr},
                                  {"--api-port", "", &api_port, nullptr},
                                  {"--programs", "", &programs, nullptr}},
                                 streams);
  if (!usable) return 2;
  if (options.manifests.empty()) {
    streams.error << "holdfast-operator local: -f FILE is missing; try -f crds/samples/embedded.yaml\n";
    return 2;
  }
  const std::optional<std::uint16_t> port = ParsePort(api_port);
  if (!port) {
    streams.error << "holdfast-operator local: --api-port: " << api_port << " is no port from 0 to 65535\n";
    return 2;
  }
  options.root = root;
  options.api_port = *port;
  options.program_folder = programs;
  options.validate = ValidateStorageCluster;
  log::Options log_options;
  log_options.component = "holdfast-operator";
  // What a person needs to know is printed as progress; the log speaks up when something is wrong.
  log_options.level = log::Level::kWarn;
  log::Configure(log_options);
  const auto add_controllers = [](runtime::Manager& manager, std::shared_ptr<kube::Client> client) {
    storagecluster::ControllerConfig config;
    config.service_image = DefaultServiceImage();
    storagecluster::AddStorageClusterController(manager, std::move(client), config);
  };
  return local::RunLocal(options, config::ToYaml(api::StorageClusterDefinition()), add_controllers);
}

}  // namespace holdfast::cli
