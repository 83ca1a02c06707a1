#include "operator/local/local_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <future>
#include <iostream>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "operator/kube/rest_client.h"
#include "operator/local/announcement.h"
#include "operator/local/api_server/api_server.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/manifests.h"
#include "operator/local/process_runner/process_runner.h"
#include "operator/local/process_runner/tcp_connect.h"
#include "operator/local/progress.h"
#include "operator/local/root_lock.h"
#include "operator/local/services/loopback_network.h"
#include "operator/local/services/service_controller.h"
#include "operator/local/workloads/deployment_controller.h"
#include "operator/local/workloads/job_controller.h"
#include "operator/local/workloads/stateful_set_controller.h"

namespace holdfast::local {
namespace {

constexpr int kStopped = 0;
constexpr int kFailed = 1;
constexpr int kCannotStart = 2;
constexpr std::chrono::milliseconds kPoll{100};
// Of the Service of a StorageCluster, which has the cluster's name (operator/resources/names.h).
constexpr std::uint16_t kDataPort = 8080;
constexpr std::uint16_t kAdminPort = 9090;
// Until the address of the first cluster answers, once that is ready.
constexpr std::chrono::milliseconds kConnectTimeout{1000};
constexpr std::uintmax_t kLogTailBytes = 2048;

// SIGINT and SIGTERM as something to ask for, instead of something that happens. Blocked in every thread started later.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    // A peer that has gone must not end the process.
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // True when one came within `patience`.
  bool Wait(std::chrono::milliseconds patience) const {
    auto seconds = std::chrono::floor<std::chrono::seconds>(patience);
    timespec timeout{seconds.count(), std::chrono::nanoseconds(patience - seconds).count()};
    return sigtimedwait(&signals_, nullptr, &timeout) > 0;
  }

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

std::filesystem::path OwnFolder() {
  std::error_code error;
  std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::current_path() : own.parent_path();
}

// Whatever has a Ready condition in its status is waited for: the custom resources among the manifests.
struct Readiness {
  bool ready = false;
  std::string why_not;
};

Readiness ReadinessOf(const Json& object) {
  for (const Json& condition : ArrayAt(object, {"status", "conditions"})) {
    if (TextAt(condition, {"type"}) != "Ready") continue;
    bool current = IntegerAt(condition, {"observedGeneration"}) >= IntegerAt(object, {"metadata", "generation"});
    if (TextAt(condition, {"status"}) == "True" && current) return {true, ""};
    return {false, fmt::format("{}: {}", TextAt(condition, {"reason"}), TextAt(condition, {"message"}))};
  }
  return {false, "its status says nothing yet"};
}

class LocalCluster {
 public:
  LocalCluster(const LocalOptions& options, Progress& progress, const StopSignals& signals)
      : options_(options), progress_(progress), signals_(signals), root_(std::filesystem::absolute(options.root)) {}

  // Checks everything that can be checked before anything runs.
  Status Prepare(const std::string& crd_yaml) {
    HOLDFAST_ASSIGN_OR_RETURN(manifests_, ReadManifests(options_.manifests));
    for (const Manifest& each : manifests_) {
      Status valid = options_.validate ? options_.validate(each.object) : Status::Ok();
      if (!valid.ok()) return std::move(valid).error().WithContext(each.source);
    }
    HOLDFAST_ASSIGN_OR_RETURN(std::vector<Manifest> definitions, ParseManifests(crd_yaml, "the built-in definitions"));
    {
      // On a server of its own first, so that a mistake in a manifest is found before a folder is made or a port taken.
      ApiServer rehearsal;
      HOLDFAST_RETURN_IF_ERROR(ApplyManifests(rehearsal, definitions));
      HOLDFAST_RETURN_IF_ERROR(ApplyManifests(rehearsal, manifests_));
    }
    HOLDFAST_ASSIGN_OR_RETURN(RootLock lock, RootLock::Take(root_));
    lock_.emplace(std::move(lock));
    for (std::uint16_t port : {options_.data_port, options_.admin_port}) {
      Status free = CheckPortFree(options_.address, port);
      if (!free.ok()) return std::move(free).WithContext("a port that the service needs is taken");
    }
    HOLDFAST_ASSIGN_OR_RETURN(network_, LoopbackNetwork::Claim());
    ApiServerOptions api;
    api.address = options_.api_address;
    api.port = options_.api_port;
    api.service_address = [this](const std::string& ns, const std::string& name) {
      return network_->ServiceAddress(ns, name);
    };
    api_ = std::make_unique<ApiServer>(std::move(api));
    HOLDFAST_RETURN_IF_ERROR(ApplyManifests(*api_, definitions));
    return api_->Listen();
  }

  Status Start(const std::function<void(runtime::Manager&, std::shared_ptr<kube::Client>)>& add_controllers) {
    std::string server = fmt::format("http://{}:{}", options_.api_address, api_->port());
    kube::RestClientOptions client_options;
    client_options.credentials.base_url = server;
    client_options.credentials.source = "local";
    HOLDFAST_ASSIGN_OR_RETURN(client_, kube::MakeRestClient(std::move(client_options), &metrics_));
    manager_ = std::make_unique<runtime::Manager>(runtime::ManagerOptions{}, client_, metrics_);
    add_controllers(*manager_, client_);

    services_ = std::make_unique<ServiceController>(*api_, Published());
    RunnerOptions runner;
    runner.root = root_;
    runner.network = network_->pods();
    runner.api_server = server;
    runner.hosts = [this](const std::string& ns) { return services_->HostsOf(ns); };
    runner.program_folder = options_.program_folder.empty() ? OwnFolder() : options_.program_folder;
    runner.environment = {{"HOLDFAST_LISTEN_ADDRESS", "$(POD_IP)"},
                          {"HOLDFAST_ADMIN_ADDRESS", "$(POD_IP)"},
                          {"HOLDFAST_DATA_DIR", "/var/lib/holdfast"},
                          // Services here follow at once; clients need the time of an answer.
                          {"HOLDFAST_SHUTDOWN_DELAY", "500ms"}};
    runner_ = std::make_unique<ProcessRunner>(*api_, std::move(runner));
    api_->SetPodLogs([this](const std::string& ns, const std::string& pod) { return runner_->PodLogTail(ns, pod); });
    stateful_sets_ = std::make_unique<StatefulSetController>(*api_);
    deployments_ = std::make_unique<DeploymentController>(*api_);
    jobs_ = std::make_unique<JobController>(*api_);
    managing_ = std::async(std::launch::async, [this] { return manager_->Run(stop_.get_token()); });
    progress_.Say("api", fmt::format("API server at {}", server), {{"server", server}});
    return ApplyManifests(*api_, manifests_);
  }

  int WaitUntilReady() {
    auto end = std::chrono::steady_clock::now() + options_.ready_deadline;
    while (true) {
      if (signals_.Wait(kPoll)) return kStopped;
      progress_.TellOfObjects(*api_);
      if (ManagerEnded()) return kFailed;
      std::string waiting;
      for (const Manifest& each : manifests_) {
        if (!IsOurs(each)) continue;
        auto path = PathOf(*api_, each);
        Readiness readiness = ReadinessOf(path.ok() ? api_->Call("GET", *path).body : Json());
        if (!readiness.ready && waiting.empty()) waiting = NameOf(each.object) + " is not ready: " + readiness.why_not;
      }
      if (waiting.empty()) waiting = WhyNotReachable();
      if (waiting.empty()) break;
      if (std::chrono::steady_clock::now() >= end) {
        progress_.Fail(fmt::format("{} (waited {} s)", waiting, options_.ready_deadline.count()));
        ShowLogs();
        return kFailed;
      }
    }
    Announce();
    ready_ = true;
    return kStopped;
  }

  int WaitForSignal() {
    while (!signals_.Wait(kPoll)) {
      progress_.TellOfObjects(*api_);
      if (ManagerEnded()) return kFailed;
    }
    return kStopped;
  }

  bool ready() const { return ready_; }

  // The operator first, so that nothing is put back while it goes; then the pods, which may need each other's Services
  // to stop in order; the API server last, because every part speaks to it to the end.
  void Stop() {
    if (runner_ == nullptr) return;
    progress_.Say("stopping", "stopping (data stays in " + root_.string() + ")");
    stop_.request_stop();
    if (managing_.valid()) managing_.wait();
    stateful_sets_.reset();
    deployments_.reset();
    jobs_.reset();
    auto stopping = std::async(std::launch::async, [this] { StopPods(); });
    while (stopping.wait_for(kPoll) != std::future_status::ready) {
      if (signals_.Wait(std::chrono::milliseconds(1))) runner_->HurryUp();
    }
    stopping.get();
    services_.reset();
    progress_.Say("stopped", "stopped");
  }

 private:
  static bool IsOurs(const Manifest& manifest) {
    return TextAt(manifest.object, {"apiVersion"}).starts_with("storage.holdfast.dev/");
  }

  // People look for the first cluster at the address they gave.
  std::vector<PublishedPort> Published() const {
    auto first = std::find_if(manifests_.begin(), manifests_.end(), IsOurs);
    if (first == manifests_.end()) return {};
    std::string ns = NamespaceOf(first->object);
    kube::ObjectKey service{ns.empty() ? "default" : ns, NameOf(first->object)};
    return {{service, kDataPort, options_.address, options_.data_port},
            {service, kAdminPort, options_.address, options_.admin_port}};
  }

  // A moment passes between a cluster's being ready and its Service's being forwarded.
  std::string WhyNotReachable() const {
    if (Published().empty()) return "";
    auto problem = TryTcpConnect(options_.address, options_.data_port, kConnectTimeout);
    return problem ? fmt::format("{}:{} does not answer: {}", options_.address, options_.data_port, *problem) : "";
  }

  void StopPods() {
    api_->SetPodLogs({});
    runner_->Stop();
  }

  bool ManagerEnded() {
    if (managing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
    Status ended = managing_.get();
    progress_.Fail("the operator stopped: " + (ended.ok() ? std::string("without a reason") : ended.error().message()));
    return true;
  }

  void ShowLogs() {
    Json pods = api_->Call("GET", "/api/v1/pods").body;
    for (const Json& pod : ArrayAt(pods, {"items"})) {
      auto tail = runner_->PodLogTail(NamespaceOf(pod), NameOf(pod), kLogTailBytes);
      if (tail && !tail->empty()) progress_.Fail(fmt::format("the last lines of pod {}:\n{}", NameOf(pod), *tail));
      for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
        for (const Json& container : ArrayAt(pod, {"status", list})) {
          std::string message = TextAt(container, {"state", "waiting", "message"});
          if (!message.empty()) progress_.Fail(fmt::format("pod {}: {}", NameOf(pod), message));
        }
      }
    }
    if (ArrayAt(pods, {"items"}).empty()) progress_.Fail("there is no pod");
  }

  void Announce() {
    std::string kubectl = fmt::format("kubectl --server http://{}:{}", options_.api_address, api_->port());
    Announcement first;
    if (auto cluster = std::find_if(manifests_.begin(), manifests_.end(), IsOurs); cluster != manifests_.end()) {
      auto path = PathOf(*api_, *cluster);
      first = local::Announce(path.ok() ? api_->Call("GET", *path).body : Json(), options_.address, options_.data_port,
                              kubectl);
    }
    kubectl += " get storageclusters";
    std::string text =
        first.url.empty() ? "\nRunning, without a StorageCluster.\n" : fmt::format("\nReady: {}\n\n", first.url);
    for (const std::string& each : first.commands) text += "  " + each + "\n";
    text += fmt::format("\n  {}\n\nData and logs are in {}. Ctrl-C stops everything.\n", kubectl, root_.string());
    progress_.Say("running", text,
                  {{"message", "ready"},
                   {"url", first.url},
                   {"try", first.commands},
                   {"kubectl", kubectl},
                   {"root", root_.string()},
                   {"stop", "SIGINT or SIGTERM"}});
  }

  const LocalOptions& options_;
  Progress& progress_;
  const StopSignals& signals_;
  const std::filesystem::path root_;
  std::vector<Manifest> manifests_;
  bool ready_ = false;
  // Destroyed from the last to the first.
  std::optional<RootLock> lock_;
  metrics::Registry metrics_;
  std::unique_ptr<LoopbackNetwork> network_;
  std::unique_ptr<ApiServer> api_;
  std::shared_ptr<kube::Client> client_;
  std::unique_ptr<runtime::Manager> manager_;
  std::unique_ptr<ServiceController> services_;
  std::unique_ptr<ProcessRunner> runner_;
  std::unique_ptr<StatefulSetController> stateful_sets_;
  std::unique_ptr<DeploymentController> deployments_;
  std::unique_ptr<JobController> jobs_;
  std::stop_source stop_;
  std::future<Status> managing_;
};

}  // namespace

int RunLocal(const LocalOptions& options, const std::string& crd_yaml,
             const std::function<void(runtime::Manager&, std::shared_ptr<kube::Client>)>& add_controllers) {
  Progress progress(isatty(STDOUT_FILENO) == 1);
  StopSignals signals;
  LocalCluster cluster(options, progress, signals);
  if (Status prepared = cluster.Prepare(crd_yaml); !prepared.ok()) {
    progress.Fail(prepared.error().message());
    return kCannotStart;
  }
  int outcome = kStopped;
  if (Status started = cluster.Start(add_controllers); !started.ok()) {
    progress.Fail(started.error().message());
    outcome = kFailed;
  }
  if (outcome == kStopped) outcome = cluster.WaitUntilReady();
  if (outcome == kStopped && cluster.ready() && !options.once) outcome = cluster.WaitForSignal();
  cluster.Stop();
  // Everything that was started has ended, and what stays is on the disk. What libraries do when they are taken down
  // (the HTTP client's waits for its threads) could only keep a person from their terminal: once it did.
  std::cout.flush();
  std::_Exit(outcome);
}

}  // namespace holdfast::local
