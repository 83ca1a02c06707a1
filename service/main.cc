// The state service. `holdfast serve` runs it; the other commands are its clients. Exit codes stand in docs/api.md.
#include <fmt/format.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <thread>

#include "base/http/admin_listener.h"
#include "service/assembly.h"
#include "service/cli/arguments.h"
#include "service/cli/client_commands.h"
#include "service/settings.h"

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

// Nothing stands in the settings but what is in order; otherwise every problem has been printed.
std::optional<service::ServiceSettings> LoadSettings(const cli::ServerArguments& arguments, std::string* as_yaml) {
  config::Sources sources;
  sources.file = arguments.config_file;
  sources.environment = service::SettingsEnvironment(environ);
  sources.flags = arguments.flags;
  std::vector<config::Problem> problems;
  std::optional<service::ServiceSettings> interpreted;
  if (const auto loaded = service::SettingsTable().Load(sources, &problems)) {
    if (as_yaml != nullptr) *as_yaml = loaded->ToYaml();
    interpreted = service::Interpret(*loaded, &problems);
  }
  for (const config::Problem& problem : problems) {
    fmt::print(stderr, "holdfast: {}: {}\n", problem.where, problem.message);
  }
  return interpreted;
}

// Every thread started later inherits the mask, so that only WaitForSignal sees these.
void BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
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
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1 ||
         sigismember(&pending, SIGHUP) == 1;
}

// Returns at the first one. Behind it a further signal ends the process at once, for people in a hurry: what was
// acknowledged is safe in any case.
std::string WaitForSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  int received = 0;
  sigwait(&signals, &received);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return received == SIGTERM ? "SIGTERM" : received == SIGINT ? "SIGINT" : "SIGHUP";
}

Result<std::unique_ptr<http::AdminListener>> StartAdmin(const service::ServiceSettings& settings,
                                                        const std::atomic<Phase>& phase,
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
  callbacks.health = [health] {
    const api::HealthReport report = health();
    return http::Health{report.status() != "unhealthy", report.ToJson()};
  };
  return http::AdminListener::Start(settings.admin, std::move(callbacks), registry);
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

// True once every backend has been healthy; gives up at the deadline, and at once when the process is to stop.
bool WaitUntilHealthy(api::HealthMonitor& monitor, Deadline deadline) {
  constexpr std::chrono::milliseconds kSlice{100};
  while (!StopRequested()) {
    if (monitor.WaitUntilHealthy(deadline.Sooner(Deadline::After(kSlice)))) return true;
    if (deadline.Expired()) return false;
  }
  return false;
}

std::vector<api::HealthMonitor::NamedBackend> Watched(const std::vector<service::OpenBackend>& backends) {
  std::vector<api::HealthMonitor::NamedBackend> watched;
  for (const service::OpenBackend& open : backends) watched.emplace_back(open.name, open.backend);
  return watched;
}

Status Run(const service::ServiceSettings& settings) {
  BlockStopSignals();
  OpenAsManyFilesAsAllowed();
  metrics::Registry registry;
  registry.GetGauge("holdfast_build_info", "Always 1; the label is the version.", {{"version", HOLDFAST_VERSION}})
      .Set(1);
  std::atomic<Phase> phase{Phase::kStarting};
  CurrentHealth health;

  // The admin port first: a long recovery of a backend must not look like a process that hangs.
  HOLDFAST_ASSIGN_OR_RETURN(auto admin, StartAdmin(
                                            settings, phase, [&health] { return health.Report(); }, registry));
  HOLDFAST_ASSIGN_OR_RETURN(const auto backends, service::OpenBackends(settings.backends));
  // Before anything is asked of the backends: they take their listeners first.
  const auto accounts = std::make_shared<tenancy::UsageAccounts>();
  const auto stores = service::BuildStores(settings, backends, accounts, registry);
  service::ExportStatistics(stores, registry);

  auto monitor = std::make_unique<api::HealthMonitor>(Watched(backends), settings.health, registry);
  health.Set(monitor.get());
  const bool healthy = WaitUntilHealthy(*monitor, Deadline::After(settings.start_timeout));

  api::ApiOptions options = settings.api;
  if (!settings.tracing.endpoint.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(options.spans, tracing::MakeOtlpExporter(settings.tracing, registry));
  }
  HOLDFAST_ASSIGN_OR_RETURN(options.tenancy, service::BuildTenancy(settings, backends, *stores, accounts, registry));
  const auto handler = std::make_shared<api::ApiHandler>(stores, options, registry, [&] { return health.Report(); });

  Status status;
  if (!healthy && !StopRequested()) {
    status = Error(ErrorCode::kUnavailable,
                   fmt::format("a backend was not healthy within health.start: {}", health.Report().ToJson()));
  } else if (auto server = api::HttpServer::Start(settings.listen, handler, registry); !server.ok()) {
    status = std::move(server).error();
  } else {
    phase = Phase::kServing;
    service::StartMaintenance(*stores);
    log::Info("serving", {{"address", settings.listen.address},
                          {"port", (*server)->port()},
                          {"admin_address", settings.admin.address},
                          {"admin_port", admin->port()}});
    const std::string signal = WaitForSignal();
    phase = Phase::kStopping;
    log::Info("stopping", {{"signal", signal}});
    std::this_thread::sleep_for(settings.shutdown_delay);
    service::StopWaiting(*stores);
    (*server)->Shutdown(Deadline::After(settings.drain_timeout));
  }

  // What still runs belongs to requests whose connection is gone; it is finished before the backends close.
  options.tenancy->access->Stop();
  service::DrainStores(*stores);
  service::StopMaintenance(*stores);
  admin.reset();
  monitor->Stop();
  Status closed = service::CloseBackends(backends);
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
  const auto settings = LoadSettings(*arguments, nullptr);
  if (!settings) return kUsage;
  log::Configure(settings->log);
  const Status status = Run(*settings);
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
  std::string yaml;
  if (!LoadSettings(*arguments, &yaml)) return kUsage;
  fmt::print("{}", yaml);
  return kOk;
}

int Main(const std::vector<std::string>& words) {
  const std::string command = words.empty() ? "" : words.front();
  const std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (command == "serve") return Serve(rest);
  if (command == "check-config") return CheckConfig(rest);
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
