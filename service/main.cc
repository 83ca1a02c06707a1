// The state service. `holdfast serve` runs it, `holdfast migrate` prepares its database; the other commands are its
// clients. Exit codes stand in docs/api.md.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <set>
#include <thread>

#include "base/http/admin_listener.h"
#include "service/assembly.h"
#include "service/backing_up.h"
#include "service/cache_warmup.h"
#include "service/checkpointing.h"
#include "service/cli/arguments.h"
#include "service/cli/client_commands.h"
#include "service/copy_command.h"
#include "service/export_command.h"
#include "service/import_command.h"
#include "service/migrate_command.h"
#include "service/reload.h"
#include "service/schema_check.h"
#include "service/schema_maintenance.h"
#include "service/settings.h"
#include "service/status_page/status_page.h"
#include "service/store_metrics.h"
#include "service/value_storage.h"
#include "service/volumes.h"
#include "service/write_queues.h"

namespace holdfast {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

enum class Phase { kStarting, kServing, kStopping };

std::string_view NotReadyBecause(Phase phase) {
  return phase == Phase::kStarting ? "the backends are being opened" : "the service is stopping";
}

int Fail(const Error& error) {
  fmt::print(stderr, "holdfast: {}\n", error.message());
  return kFailed;
}

config::Sources SourcesOf(const cli::ServerArguments& arguments) {
  config::Sources sources;
  sources.file = arguments.config_file;
  sources.environment = service::SettingsEnvironment(environ);
  sources.flags = arguments.flags;
  return sources;
}

// What the service was started with.
struct Started {
  config::Sources sources;
  service::LoadedSettings settings;
};

// Nothing stands in the settings but what is in order; otherwise every problem has been printed.
std::optional<service::LoadedSettings> LoadSettings(const config::Sources& sources) {
  std::vector<config::Problem> problems;
  auto loaded = service::LoadSettings(sources, &problems);
  for (const config::Problem& problem : problems) {
    fmt::print(stderr, "holdfast: {}: {}\n", problem.where, problem.message);
  }
  return loaded;
}

sigset_t SetOf(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

// Every thread started later inherits the mask, so that only WaitForStop sees these.
void BlockSignals() {
  const sigset_t signals = SetOf({SIGTERM, SIGINT, SIGHUP});
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

// Shells and init systems give 1024 at first and allow far more to those who ask; a program that knows no select() may.
void OpenAsManyFilesAsAllowed() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  // Refused: connections are then limited to what there is (limits.reserved_descriptors).
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

bool StopRequested() {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

// Returns at the first signal to stop; meanwhile every SIGHUP is a reload. Behind it a further one ends the process at
// once, for people in a hurry: what was acknowledged is safe in any case.
std::string WaitForStop(service::Reload& reload) {
  const sigset_t signals = SetOf({SIGTERM, SIGINT, SIGHUP});
  int received = 0;
  for (;;) {
    sigwait(&signals, &received);
    if (received != SIGHUP) break;
    reload.Now();
  }
  const sigset_t stop = SetOf({SIGTERM, SIGINT});
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  return received == SIGTERM ? "SIGTERM" : "SIGINT";
}

Result<std::unique_ptr<http::AdminListener>> StartAdmin(const service::ServiceSettings& settings,
                                                        const service::Guards& guards, const std::atomic<Phase>& phase,
                                                        const std::function<api::HealthReport()>& health,
                                                        const metrics::Registry& registry) {
  http::AdminCallbacks callbacks;
  callbacks.ready = [&phase, health]() -> Status {
    const Phase now = phase.load();
    if (now != Phase::kServing) return Error(ErrorCode::kUnavailable, std::string(NotReadyBecause(now)));
    // With one backend of several down the others are still served.
    if (health().status() == "unhealthy") return Error(ErrorCode::kUnavailable, "no backend is healthy");
    return {};
  };
  callbacks.health = [health, guards, volumes = service::VolumesOf(settings)] {
    const api::HealthReport report = health();
    std::string json = service::WithCircuits(service::WithVolumes(report.ToJson(), volumes), guards);
    return http::Health{report.status() != "unhealthy", std::move(json)};
  };
  return http::AdminListener::Start(settings.admin, std::move(callbacks), registry, status_page::Pages());
}

// The health of backends that may not be open yet. Thread-safe.
class CurrentHealth {
 public:
  void Set(api::HealthMonitor* monitor) {
    std::lock_guard lock(mutex_);
    monitor_ = monitor;
  }
  api::HealthReport Report() const {
    std::lock_guard lock(mutex_);
    return monitor_ != nullptr ? monitor_->Report() : api::HealthReport{};
  }

 private:
  mutable std::mutex mutex_;
  api::HealthMonitor* monitor_ = nullptr;  // guarded by mutex_
};

// A majority of those that keep locks is enough for locks, and none for everything else. A secondary is for later.
std::set<std::string> MayBeAway(const service::ServiceSettings& settings) {
  std::set<std::string> names;
  for (const service::StoreSettings& store : settings.stores) {
    names.insert(store.lock_backends.begin(), store.lock_backends.end());
    if (store.failover) names.insert(store.failover->backend);
  }
  for (const service::StoreSettings& store : settings.stores) names.erase(store.backend);
  // The store itself is watched.
  for (const service::StoreSettings& store : settings.stores) {
    if (store.replicas) names.insert(store.replicas->backends.begin(), store.replicas->backends.end());
  }
  return names;
}

// True once every backend that is not optional has been healthy; gives up at the deadline, and at once when the process
// is to stop.
bool WaitUntilHealthy(api::HealthMonitor& monitor, const std::set<std::string>& optional, Deadline deadline) {
  constexpr std::chrono::milliseconds kSlice{100};
  while (!StopRequested()) {
    if (monitor.WaitUntilHealthy(deadline.Sooner(Deadline::After(kSlice)), optional)) return true;
    if (deadline.Expired()) return false;
  }
  return false;
}

std::vector<api::HealthMonitor::NamedBackend> Watched(const std::vector<service::OpenBackend>& backends,
                                                      const storage::StoreRegistry& stores) {
  std::vector<api::HealthMonitor::NamedBackend> watched;
  for (const service::OpenBackend& open : backends) watched.emplace_back(open.name, open.backend);
  for (const storage::Store& store : stores.stores()) {
    if (store.replication) watched.emplace_back(store.health_name(), store.backend);
  }
  return watched;
}

// What is put together from the opened backends, in the order in which it is made. Requests may use all of it until the
// stores are drained, also when the server is gone.
struct Parts {
  service::Guards guards;
  std::vector<std::string> unsaid;  // backends that are still to be told how to keep their values
  std::vector<service::OpenBackend> backends;
  std::shared_ptr<tenancy::UsageAccounts> accounts;
  std::shared_ptr<const storage::StoreRegistry> stores;
  std::unique_ptr<api::HealthMonitor> monitor;
  api::ApiOptions options;
  std::shared_ptr<api::ApiHandler> handler;
};

// Returns when the server has shut down, or an error when it could not be started; Finish follows in both cases.
Status ServeUntilStopped(const Started& started, Parts& parts, metrics::Registry& registry,
                         const std::function<api::HealthReport()>& health, std::atomic<Phase>& phase,
                         const http::AdminListener& admin) {
  const service::ServiceSettings& settings = started.settings.meaning;
  const bool healthy = WaitUntilHealthy(*parts.monitor, MayBeAway(settings), Deadline::After(settings.start_timeout));
  if (!healthy && !StopRequested()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("a backend was not healthy within health.start: {}", health().ToJson()));
  }
  HOLDFAST_RETURN_IF_ERROR(service::StartWriteQueues(*parts.stores, Deadline::After(settings.start_timeout)));
  HOLDFAST_RETURN_IF_ERROR(service::StartMigrations(*parts.stores, Deadline::After(settings.start_timeout)));
  HOLDFAST_ASSIGN_OR_RETURN(parts.options.tenancy,
                            service::BuildTenancy(settings, *parts.stores, parts.accounts, registry));
  service::StartCounting(*parts.accounts);
  if (Status recovered = service::RecoverCheckpoints(*parts.stores, StopRequested); !recovered.ok()) {
    return recovered.error().code() == ErrorCode::kCancelled ? Status() : recovered;
  }
  parts.handler = std::make_shared<api::ApiHandler>(parts.stores, parts.options, registry, health);
  HOLDFAST_ASSIGN_OR_RETURN(const auto server, api::HttpServer::Start(settings.listen, parts.handler, registry));

  phase = Phase::kServing;
  service::StartMaintenance(*parts.stores);
  service::StartCheckpoints(*parts.stores);
  service::StartBackups(*parts.stores);
  const service::SchemaMaintenance schema_maintenance(settings, parts.unsaid);
  const service::CacheWarmup warmup(settings, *parts.stores);
  log::Info("serving", {{"address", settings.listen.address},
                        {"port", server->port()},
                        {"admin_address", settings.admin.address},
                        {"admin_port", admin.port()}});
  service::Reload reload(started.sources, started.settings.given,
                         {parts.guards, parts.stores, parts.handler, parts.options.spans, parts.options.tenancy},
                         registry);
  const std::string signal = WaitForStop(reload);
  phase = Phase::kStopping;
  log::Info("stopping", {{"signal", signal}});
  server->BeginLeaving();
  std::this_thread::sleep_for(settings.shutdown_delay);
  service::StopWaiting(*parts.stores);
  server->Shutdown(Deadline::After(settings.drain_timeout));
  return {};
}

// Ends what was started, however far the start has come.
Status Finish(Parts& parts, const service::ServiceSettings& settings, std::unique_ptr<http::AdminListener> admin) {
  // What still runs belongs to requests whose connection is gone; it is finished before the backends close.
  if (parts.options.tenancy != nullptr) parts.options.tenancy->access->Stop();
  service::DrainStores(*parts.stores);
  service::StopMaintenance(*parts.stores);
  service::StopBackups(*parts.stores);
  service::StopCheckpoints(*parts.stores);
  service::StopWriteQueues(*parts.stores, Deadline::After(settings.drain_timeout));
  parts.accounts->StopCount();
  service::StopFailovers(*parts.stores);
  service::StopMigrations(*parts.stores);
  admin.reset();  // it asks the monitor
  parts.monitor->Stop();
  service::StopReplication(*parts.stores);
  return service::CloseBackends(parts.backends);
}

Status Run(const Started& started) {
  const service::ServiceSettings& settings = started.settings.meaning;
  BlockSignals();
  OpenAsManyFilesAsAllowed();
  metrics::Registry registry;
  registry.GetGauge("holdfast_build_info", "Always 1; the label is the version.", {{"version", HOLDFAST_VERSION}})
      .Set(1);
  std::atomic<Phase> phase{Phase::kStarting};
  CurrentHealth health;
  const auto report = [&health] { return health.Report(); };

  Parts parts;
  parts.guards = service::MakeGuards(settings);
  // The admin port first: a long recovery of a backend must not look like a process that hangs.
  HOLDFAST_ASSIGN_OR_RETURN(auto admin, StartAdmin(settings, parts.guards, phase, report, registry));
  if (Status schemas = service::CheckSchemas(settings, StopRequested); !schemas.ok()) {
    if (schemas.error().code() == ErrorCode::kCancelled) return {};
    return schemas;
  }
  HOLDFAST_ASSIGN_OR_RETURN(parts.unsaid, service::SayValueStorages(settings, StopRequested));
  std::shared_ptr<tracing::SpanSink> spans;
  if (!settings.tracing.endpoint.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(spans, tracing::MakeOtlpExporter(settings.tracing, registry));
  }
  HOLDFAST_ASSIGN_OR_RETURN(parts.backends, service::OpenBackends(settings.backends, StopRequested));
  if (Status required = service::CheckRequirements(settings, parts.backends); !required.ok()) {
    static_cast<void>(service::CloseBackends(parts.backends));
    return required;
  }
  service::TraceBackends(spans, settings.traced_calls, &parts.backends);
  service::PutBehindGuards(parts.guards.backends, &parts.backends);
  // Before anything is asked of the backends: they take their listeners first.
  parts.accounts = std::make_shared<tenancy::UsageAccounts>();
  parts.stores = service::BuildStores(settings, parts.backends, parts.guards, parts.accounts, registry);
  service::ExportStatistics(parts.stores, registry);
  service::ExportGuards(parts.guards, registry);
  service::ExportVolumes(service::VolumesOf(settings), registry);
  parts.monitor =
      std::make_unique<api::HealthMonitor>(Watched(parts.backends, *parts.stores), settings.health, registry);
  health.Set(parts.monitor.get());
  parts.options = settings.api;
  parts.options.spans = spans;

  Status status = ServeUntilStopped(started, parts, registry, report, phase, *admin);
  Status closed = Finish(parts, settings, std::move(admin));
  if (!status.ok()) return status;
  if (closed.ok()) log::Info("stopped");
  return closed;
}

int Serve(const std::vector<std::string>& words) {
  auto arguments = cli::ParseServerArguments(words);
  if (!arguments.ok()) return cli::UsageError("serve", arguments.error());
  if (arguments->help) {
    cli::PrintServerHelp("serve", service::SettingsTable().ToHelp());
    return kOk;
  }
  config::Sources sources = SourcesOf(*arguments);
  auto settings = LoadSettings(sources);
  if (!settings) return kUsage;
  log::Configure(settings->meaning.log);
  const Status status = Run({std::move(sources), std::move(*settings)});
  return status.ok() ? kOk : Fail(status.error());
}

int CheckConfig(const std::vector<std::string>& words) {
  auto arguments = cli::ParseServerArguments(words);
  if (!arguments.ok()) return cli::UsageError("check-config", arguments.error());
  if (arguments->help) {
    cli::PrintServerHelp("check-config", service::SettingsTable().ToHelp());
    return kOk;
  }
  if (arguments->markdown) {
    fmt::print("{}", service::ConfigurationMarkdown());
    return kOk;
  }
  const auto settings = LoadSettings(SourcesOf(*arguments));
  if (!settings) return kUsage;
  fmt::print("{}", settings->given.ToYaml());
  return kOk;
}

int Main(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words.front();
  const std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (command == "serve") return Serve(rest);
  if (command == "check-config") return CheckConfig(rest);
  const auto load = [](const cli::ServerArguments& arguments) {
    auto loaded = LoadSettings(SourcesOf(arguments));
    return loaded ? std::optional(std::move(loaded->meaning)) : std::nullopt;
  };
  if (command == "migrate") return service::RunMigrateCommand(rest, HOLDFAST_VERSION, load);
  if (command == "import") return service::RunImportCommand(rest, load);
  if (command == "export") return service::RunExportCommand(rest, load);
  if (command == "copy") return service::RunCopyCommand(rest, load);
  if (command == "version" || command == "--version") {
    fmt::print("holdfast {}\n", HOLDFAST_VERSION);
    return kOk;
  }
  return cli::RunClientCommand(command, rest);
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  return holdfast::Main(std::vector<std::string>(argv + 1, argv + argc));
}
