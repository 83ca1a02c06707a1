#include "operator/local/local_command.h"

#include <unistd.h>

#include <chrono>
#include <ostream>
#include <string>
#include <thread>

#include "base/config/yaml.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "operator/api/v1/crd.h"
#include "operator/api/v1/storage_backup.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/api/v1/storage_migration.h"
#include "operator/api/v1/storage_restore.h"
#include "operator/backup/setup.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"
#include "operator/cli/stop_signal.h"
#include "operator/controllers/backupschedule/setup.h"
#include "operator/controllers/storagebackup/setup.h"
#include "operator/controllers/storagecluster/setup.h"
#include "operator/controllers/storagemigration/setup.h"
#include "operator/failover/setup.h"
#include "operator/local/api_server/api_server.h"
#include "operator/sentinel/setup.h"
#include "operator/shards/setup.h"

namespace holdfast::cli {
namespace {

constexpr char kCommand[] = "holdfast-operator local";
constexpr std::chrono::milliseconds kStopPoll{50};

constexpr char kUsage[] = R"(usage: holdfast-operator local -f FILE [FLAGS]

Runs the StorageClusters of FILE on this machine, without Kubernetes: an API server in this process, the operator against
it, and its pods as child processes. kubectl works against it with --server http://127.0.0.1:8001. Ctrl-C stops
everything; the data stays.

  -f, --filename FILE    a YAML file with StorageClusters; may be repeated; - reads standard input
  --root, --data-dir DIR where data, logs and configuration go (default: .holdfast)
  --address ADDRESS      where the first cluster answers (default: 127.0.0.1)
  --data-port PORT       the port of its API (default: 8080)
  --admin-port PORT      the port of its probes and metrics (default: 9090)
  --api-address ADDRESS  where the API server answers (default: 127.0.0.1)
  --api-port PORT        the API server's port; 0 = any free one (default: 8001)
  --ready-timeout SECONDS how long the clusters may take to get ready (default: 180)
  --programs FOLDER      where the pods' programs are (default: beside this one)
  --once                 stop as soon as everything is ready, as a check
  --api-only             the API server alone, with our resource definitions; no pods, no operator

Exit status: 0 stopped in order, 1 not ready in time or broken later, 2 it could not start: nothing was started then.
)";

struct Choices {
  local::LocalOptions options;
  std::string root = ".holdfast";
  std::string programs;
  int data_port = 8080;
  int admin_port = 9090;
  int api_port = 8001;
  int ready_seconds = 180;
  bool api_only = false;
};

bool ParseChoices(const Arguments& arguments, const Streams& streams, Choices* choices) {
  const bool good = ParseFlags(
      kCommand, arguments,
      {RepeatedFlag({"-f", "--filename"}, &choices->options.manifests),
       TextFlag({"--root", "--data-dir"}, &choices->root), TextFlag({"--address"}, &choices->options.address),
       NumberFlag({"--data-port"}, 1, 65535, &choices->data_port),
       NumberFlag({"--admin-port"}, 1, 65535, &choices->admin_port),
       TextFlag({"--api-address"}, &choices->options.api_address),
       NumberFlag({"--api-port"}, 0, 65535, &choices->api_port),
       NumberFlag({"--ready-timeout"}, 1, 86400, &choices->ready_seconds), TextFlag({"--programs"}, &choices->programs),
       SwitchFlag({"--once"}, &choices->options.once), SwitchFlag({"--api-only"}, &choices->api_only)},
      streams.error);
  if (good && choices->options.manifests.empty() && !choices->api_only) {
    streams.error << kCommand << ": -f FILE is missing, for example -f crds/samples/embedded.yaml\n";
    return false;
  }
  choices->options.root = choices->root;
  choices->options.program_folder = choices->programs;
  choices->options.data_port = static_cast<std::uint16_t>(choices->data_port);
  choices->options.admin_port = static_cast<std::uint16_t>(choices->admin_port);
  choices->options.api_port = static_cast<std::uint16_t>(choices->api_port);
  choices->options.ready_deadline = std::chrono::seconds(choices->ready_seconds);
  return good;
}

struct Program {
  const char* path;
  const char* package;
};

// What the pods of a postgres backend run, where Debian puts it.
constexpr Program kPostgresPrograms[] = {{"/usr/bin/patroni", "patroni"},
                                         {"/usr/lib/postgresql/15/bin/postgres", "postgresql-15"},
                                         {"/usr/sbin/pgbouncer", "pgbouncer"}};

// There are no images here: what a pod runs has to be on this machine.
Status CheckPrograms(const kube::Json& cluster) {
  const kube::Json none = kube::Json::array();
  const kube::Json::json_pointer backends("/spec/backends");
  for (const kube::Json& backend : cluster.contains(backends) ? cluster.at(backends) : none) {
    const auto postgres = backend.find("postgres");
    if (postgres == backend.end() || postgres->contains("external")) continue;
    std::string missing;
    for (const Program& each : kPostgresPrograms) {
      if (access(each.path, X_OK) != 0) missing.append(" ").append(each.package);
    }
    if (missing.empty()) continue;
    return Error(ErrorCode::kFailedPrecondition,
                 "backend \"" + kube::StringAt(backend, "/name") +
                     "\" runs as processes of this machine, which has not got these Debian packages:" + missing +
                     "; as root: apt-get install --no-install-recommends" + missing);
  }
  return Status::Ok();
}

// The rules that are CEL in the CustomResourceDefinition and that the local API server does not evaluate, and what it
// takes to run the cluster here.
Status ValidateManifest(const kube::Json& object) {
  const std::string kind = kube::StringAt(object, "/kind");
  const auto judged = [](const std::vector<api::FieldError>& errors) {
    return errors.empty() ? Status::Ok() : Error(ErrorCode::kInvalidArgument, api::Summarize(errors));
  };
  if (kind == api::kStorageMigrationKind) return judged(api::ParseStorageMigration(object).errors);
  if (kind == api::kStorageBackupKind) return judged(api::ParseStorageBackup(object).errors);
  if (kind == api::kStorageRestoreKind) return judged(api::ParseStorageRestore(object).errors);
  if (kind != api::kStorageClusterKind) return Status::Ok();
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(object);
  if (parsed.cluster) return CheckPrograms(object);
  return Error(ErrorCode::kInvalidArgument, api::Summarize(parsed.errors));
}

std::string DefinitionsAsYaml() {
  std::string text;
  for (const kube::Json& definition : api::Definitions()) text += "---\n" + config::ToYaml(definition);
  return text;
}

int RunApiOnly(const Choices& choices, const Streams& streams) {
  const StopSignal signal;
  local::ApiServerOptions options;
  options.address = choices.options.api_address;
  options.port = choices.options.api_port;
  local::ApiServer server(std::move(options));
  for (const kube::Json& definition : api::Definitions()) {
    const auto installed = server.Call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
    if (installed.ok()) continue;
    streams.error << kCommand << ": a resource definition was refused: " << installed.body.dump() << "\n";
    return 2;
  }
  if (const Status listening = server.Listen(); !listening.ok()) {
    streams.error << kCommand << ": " << listening.error().message() << "\n";
    return 2;
  }
  streams.out << "API server at http://" << choices.options.api_address << ":" << server.port() << std::endl;
  while (!signal.token().stop_requested()) std::this_thread::sleep_for(kStopPoll);
  return 0;
}

}  // namespace

int RunLocal(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage;
    return 0;
  }
  Choices choices;
  if (!ParseChoices(arguments, streams, &choices)) return 2;
  log::Options log_options;
  log_options.component = "holdfast-operator";
  // What a person needs to know is printed as progress; the log speaks up when something is wrong.
  log_options.level = log::Level::kWarn;
  log::Configure(log_options);
  if (choices.api_only) return RunApiOnly(choices, streams);
  choices.options.validate = ValidateManifest;
  metrics::Registry registry;  // nobody scrapes it
  return local::RunLocal(choices.options, DefinitionsAsYaml(),
                         [&registry](runtime::Manager& manager, std::shared_ptr<kube::Client> client) {
                           storagecluster::ControllerConfig config;
                           config.service_image = DefaultServiceImage();
                           storagecluster::AddStorageClusterController(manager, client, config);
                           storagemigration::AddStorageMigrationController(manager, client, {});
                           storagebackup::AddStorageBackupControllers(manager, client, {});
                           backupschedule::AddBackupScheduleController(manager, client, {});
                           failover::AddFailoverController(manager, client, {}, registry);
                           backup::AddBackupController(manager, client, {});
                           sentinel::AddSentinelController(manager, client, {}, registry);
                           shards::AddShardController(manager, std::move(client), {}, registry);
                         });
}

}  // namespace holdfast::cli
