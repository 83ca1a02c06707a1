#include <malloc.h>
#include <unistd.h>

#include <array>
#include <ostream>
#include <random>

#include "base/http/http_client.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "base/metrics/process_metrics.h"
#include "operator/backup/setup.h"
#include "operator/cli/commands.h"
#include "operator/cli/flags.h"
#include "operator/cli/stop_signal.h"
#include "operator/controllers/backupschedule/setup.h"
#include "operator/controllers/storagebackup/setup.h"
#include "operator/controllers/storagecluster/setup.h"
#include "operator/controllers/storagemigration/setup.h"
#include "operator/failover/setup.h"
#include "operator/kube/credentials.h"
#include "operator/kube/rest_client.h"
#include "operator/runtime/manager.h"
#include "operator/sentinel/setup.h"
#include "operator/shards/setup.h"

extern char** environ;

namespace holdfast::cli {
namespace {

using config::Setting;
using config::Settings;
using config::Type;

constexpr char kEnvironmentPrefix[] = "HOLDFAST_OPERATOR_";
constexpr char kComponent[] = "holdfast-operator";
constexpr int kMallocArenas = 2;

constexpr char kUsage[] = R"(usage: holdfast-operator run [--config FILE] [--SETTING=VALUE]...

Watches StorageClusters and makes the cluster match them, until SIGINT or SIGTERM. Every setting can stand in a YAML file
(--config), in the environment (HOLDFAST_OPERATOR_ and the name in capitals, dashes as underscores) or be a flag, in
rising order of precedence.

)";

std::vector<Setting> Rows() {
  std::vector<Setting> rows;
  const auto add = [&](std::string name, Type type, std::string default_value, std::string description) -> Setting& {
    Setting setting;
    setting.name = std::move(name);
    setting.type = type;
    setting.default_value = std::move(default_value);
    setting.description = std::move(description);
    rows.push_back(std::move(setting));
    return rows.back();
  };
  const auto bound = [](Setting& setting, std::int64_t minimum, std::int64_t maximum) {
    setting.minimum = minimum;
    setting.maximum = maximum;
  };
  add("kubeconfig", Type::kString, "",
      "Path of a kubeconfig file; without it KUBECONFIG, the pod's service account, then ~/.kube/config are tried.");
  add("context", Type::kString, "", "The context of the kubeconfig; its current-context when empty.");
  add("server", Type::kString, "", "URL of an API server that asks for no credentials; goes before kubeconfig.");
  add("namespace", Type::kList, "", "Namespaces to watch; may be repeated as a flag; empty or \"all\" is all of them.");
  add("service-image", Type::kString, DefaultServiceImage(), "Image of the state service in the pods.");
  add("postgres-image", Type::kString, DefaultPostgresImage(),
      "Image of the pods of postgres backends: PostgreSQL 15, Patroni and PgBouncer.");
  add("redis-image", Type::kString, DefaultRedisImage(),
      "Image of the pods of redis backends that name none: Redis 7.");
  bound(add("workers", Type::kInteger, "4", "StorageClusters reconciled at the same time."), 1, 64);
  add("leader-elect", Type::kBool, "true", "Wait for a lease, so that only one of several operators acts.");
  add("leader-elect-namespace", Type::kString, "", "Namespace of the lease; the credentials' own when empty.");
  const std::int64_t second = 1'000'000;
  bound(add("lease-duration", Type::kDuration, "15s", "How long others wait for a leader that is silent."), second,
        600 * second);
  bound(add("renew-deadline", Type::kDuration, "10s", "How long the leader tries to renew before it gives up."), second,
        600 * second);
  bound(add("retry-period", Type::kDuration, "2s", "How long to wait between two tries."), second / 10, 600 * second);
  add("admin-address", Type::kString, "0.0.0.0", "Address of the admin port: /livez, /readyz, /healthz, /metrics.");
  bound(add("admin-port", Type::kInteger, "8081", "The admin port; 0 is any free one."), 0, 65535);
  bound(add("http-threads", Type::kInteger, "4", "Threads of the HTTP client."), 1, 64);
  add("log-level", Type::kChoice, "info", "The least important lines that are logged.").choices = {"debug", "info",
                                                                                                   "warn", "error"};
  add("log-format", Type::kChoice, "auto", "json, human, or auto: human on a terminal.").choices = {"auto", "json",
                                                                                                    "human"};
  return rows;
}

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (const std::size_t equals = text.find('='); equals != std::string::npos) {
      variables[text.substr(0, equals)] = text.substr(equals + 1);
    }
  }
  return variables;
}

// --config is taken out, repeated --namespace become one list; the rest is the settings table's.
config::Sources SourcesFrom(const Arguments& arguments, const Streams& streams, bool* usable) {
  config::Sources sources;
  sources.environment = Environment();
  sources.environment_prefix = kEnvironmentPrefix;
  std::string namespaces;
  *usable = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string name = arguments[i];
    if (name == "-n") name = "--namespace";
    std::optional<std::string> value;
    if (const std::size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    if (name != "--config" && name != "--namespace") {
      sources.flags.push_back(arguments[i]);
      continue;
    }
    if (!value && i + 1 < arguments.size()) value = arguments[++i];
    if (!value || value->empty()) {
      streams.error << "flag " << name << " needs a value\n";
      *usable = false;
      continue;
    }
    if (name == "--config") sources.file = value;
    if (name == "--namespace") namespaces += (namespaces.empty() ? "" : ",") + *value;
  }
  if (!namespaces.empty()) sources.flags.push_back("--namespace=" + namespaces);
  return sources;
}

void ConfigureLog(const Settings& settings) {
  log::Options options;
  options.component = kComponent;
  const std::string level = settings.String("log-level");
  if (level == "debug") options.level = log::Level::kDebug;
  if (level == "warn") options.level = log::Level::kWarn;
  if (level == "error") options.level = log::Level::kError;
  const std::string format = settings.String("log-format");
  if (format == "json") options.format = log::Format::kJson;
  if (format == "human") options.format = log::Format::kHuman;
  log::Configure(options);
}

std::vector<std::string> Namespaces(const Settings& settings) {
  std::vector<std::string> namespaces = settings.List("namespace");
  for (const std::string& ns : namespaces) {
    if (ns == "all") return {};
  }
  return namespaces;
}

// Differs between two processes on one host and between two lives of one pod.
std::string Identity() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  static constexpr char kHex[] = "0123456789abcdef";
  std::random_device random;
  std::string identity = host[0] == '\0' ? kComponent : host.data();
  identity += '_';
  for (int i = 0; i < 16; ++i) identity += kHex[random() & 15U];
  return identity;
}

runtime::ManagerOptions ManagerOptionsFrom(const Settings& settings, const std::string& own_namespace) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  runtime::ManagerOptions options;
  options.admin.emplace();
  options.admin->address = settings.String("admin-address");
  options.admin->port = static_cast<std::uint16_t>(settings.Integer("admin-port"));
  if (settings.Bool("leader-elect")) {
    kube::LeaderElectionOptions election;
    election.ns = settings.String("leader-elect-namespace");
    if (election.ns.empty()) election.ns = own_namespace;
    election.identity = Identity();
    election.lease_duration = duration_cast<milliseconds>(settings.Duration("lease-duration"));
    election.renew_deadline = duration_cast<milliseconds>(settings.Duration("renew-deadline"));
    election.retry_period = duration_cast<milliseconds>(settings.Duration("retry-period"));
    options.leader_election = std::move(election);
  }
  return options;
}

Status Operate(const Settings& settings, std::stop_token stop) {
  kube::CredentialsQuery query;
  query.server = settings.String("server");
  query.kubeconfig = settings.String("kubeconfig");
  query.context = settings.String("context");
  query.environment = kube::CredentialsEnvironment();
  HOLDFAST_ASSIGN_OR_RETURN(kube::Credentials credentials, kube::FindCredentials(query));
  const std::string own_namespace = credentials.ns;
  log::Info("holdfast-operator starts", {{"version", Version()},
                                         {"api_server", credentials.base_url},
                                         {"credentials", credentials.source},
                                         {"service_image", settings.String("service-image")}});
  // Whoever else is spoken to has an authority of its own as well.
  if (!credentials.ca_pem.empty()) http::HttpClient::IgnoreSystemAuthorities();
  metrics::Registry registry;
  metrics::AddProcessMetrics(registry);
  registry.GetGauge("holdfast_operator_build_info", "Always 1.", {{"version", Version()}}).Set(1);
  kube::RestClientOptions client_options;
  client_options.credentials = std::move(credentials);
  HOLDFAST_ASSIGN_OR_RETURN(std::shared_ptr<kube::Client> client,
                            kube::MakeRestClient(std::move(client_options), &registry));
  runtime::Manager manager(ManagerOptionsFrom(settings, own_namespace), client, registry);
  storagecluster::ControllerConfig controller;
  controller.service_image = settings.String("service-image");
  controller.postgres_image = settings.String("postgres-image");
  controller.redis_image = settings.String("redis-image");
  controller.workers = static_cast<int>(settings.Integer("workers"));
  controller.namespaces = Namespaces(settings);
  storagecluster::AddStorageClusterController(manager, client, controller);
  storagemigration::MigrationConfig migrations;
  migrations.namespaces = controller.namespaces;
  migrations.workers = controller.workers;
  storagemigration::AddStorageMigrationController(manager, client, migrations);
  storagebackup::RunConfig runs;
  runs.namespaces = controller.namespaces;
  runs.workers = controller.workers;
  storagebackup::AddStorageBackupControllers(manager, client, runs);
  backupschedule::ScheduleConfig schedules;
  schedules.namespaces = controller.namespaces;
  schedules.workers = controller.workers;
  backupschedule::AddBackupScheduleController(manager, client, schedules);
  failover::FailoverConfig failover;
  failover.namespaces = controller.namespaces;
  failover.workers = controller.workers;
  failover::AddFailoverController(manager, client, failover, registry);
  backup::BackupConfig backups;
  backups.namespaces = controller.namespaces;
  backups.workers = controller.workers;
  backup::AddBackupController(manager, client, backups);
  sentinel::SentinelConfig sentinels;
  sentinels.namespaces = controller.namespaces;
  sentinels.workers = controller.workers;
  sentinel::AddSentinelController(manager, client, sentinels, registry);
  shards::ShardsConfig shards;
  shards.namespaces = controller.namespaces;
  shards.workers = controller.workers;
  shards::AddShardController(manager, client, shards, registry);
  return manager.Run(std::move(stop));
}

}  // namespace

const config::SettingsTable& OperatorSettings() {
  static const config::SettingsTable table(Rows());
  return table;
}

int RunOperator(const Arguments& arguments, const Streams& streams) {
  if (WantsHelp(arguments)) {
    streams.out << kUsage << OperatorSettings().ToHelp();
    return 0;
  }
  bool usable = false;
  const config::Sources sources = SourcesFrom(arguments, streams, &usable);
  std::vector<config::Problem> problems;
  const std::optional<Settings> settings = OperatorSettings().Load(sources, &problems);
  for (const config::Problem& problem : problems) {
    streams.error << "holdfast-operator: " << problem.where << ": " << problem.message << "\n";
  }
  if (!settings || !usable) return 2;
  ConfigureLog(*settings);
  // Some forty threads, of which few work at a time, would each keep free memory of their own, in all more than the
  // copies of the objects take.
  mallopt(M_ARENA_MAX, kMallocArenas);
  const StopSignal signal;
  http::HttpClient::SetThreads(static_cast<int>(settings->Integer("http-threads")));
  const Status status = Operate(*settings, signal.token());
  if (status.ok()) return 0;
  log::Error("holdfast-operator ends", {{"error", status.error().ToString()}});
  return 1;
}

}  // namespace holdfast::cli
