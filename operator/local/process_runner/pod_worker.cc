#include "operator/local/process_runner/pod_worker.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "base/log/log.h"
#include "operator/kube/base64.h"
#include "operator/local/api_server/admission.h"
#include "operator/local/api_server/json_access.h"
#include "operator/local/process_runner/pod_files.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-kubelet";
// How late the end of a process may be noticed.
constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::seconds kPrepareAgain{1};

}  // namespace

std::filesystem::path PodLogPath(const std::filesystem::path& root, const std::string& ns, const std::string& pod) {
  return root / "logs" / fmt::format("{}_{}.log", ns, pod);
}

PodWorker::PodWorker(ApiServer& api, const RunnerOptions& options, ContainmentAbility ability, AddressBook& addresses,
                     const Clock& clock, Json pod)
    : api_(api),
      options_(options),
      ability_(ability),
      addresses_(addresses),
      clock_(clock),
      pod_(std::move(pod)),
      uid_(UidOf(pod_)),
      key_{NamespaceOf(pod_), NameOf(pod_)},
      folder_(options.root / "pods" / uid_),
      volumes_(api, options.root, folder_) {
  facts_.start_time = ApiTime(clock_);
  std::string policy = TextAt(pod_, {"spec", "restartPolicy"});
  for (const Json& container : ArrayAt(pod_, {"spec", "initContainers"})) {
    init_containers_.emplace_back(pod_, container, policy == "Always" ? "OnFailure" : policy, clock_);
  }
  for (const Json& container : ArrayAt(pod_, {"spec", "containers"})) {
    containers_.emplace_back(pod_, container, policy, clock_);
  }
  thread_ = std::thread([this] { Run(); });
}

PodWorker::~PodWorker() {
  Terminate(std::chrono::seconds(0));
  thread_.join();
  addresses_.Release(key_.ns, key_.name);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void PodWorker::Terminate(std::chrono::seconds grace) {
  std::lock_guard lock(mutex_);
  MonotonicTime at = clock_.Monotonic() + grace;
  if (!kill_at_ || at < *kill_at_) kill_at_ = at;
}

void PodWorker::Run() {
  // Children die with the thread that started them, so this thread ends only when they have.
  while (!finished_) {
    MonotonicTime now = clock_.Monotonic();
    bool terminating;
    {
      std::lock_guard lock(mutex_);
      terminating = kill_at_.has_value();
    }
    if (terminating) {
      StopContainers(now);
    } else {
      StartContainers(now);
      FollowNames();
    }
    for (ContainerRun& each : init_containers_) each.Tick(now);
    for (ContainerRun& each : containers_) each.Tick(now);
    if (log_) log_->Bound();
    PublishStatus();
    auto runs = [](const ContainerRun& each) { return each.running(); };
    bool running = std::any_of(containers_.begin(), containers_.end(), runs) ||
                   std::any_of(init_containers_.begin(), init_containers_.end(), runs);
    if (terminating && !running) {
      finished_ = true;
    } else {
      std::this_thread::sleep_for(kTick);
    }
  }
}

void PodWorker::Prepare() {
  trouble_.reset();
  if (!contained() && WantsApiServer()) {
    trouble_ = Error(ErrorCode::kNotSupported,
                     "the pod speaks to the API server, for which it needs to be contained; run this as root, or where "
                     "users may make namespaces of their own");
    return;
  }
  if (facts_.address.empty()) {
    auto address = addresses_.Take(key_.ns, key_.name);
    if (!address.ok()) {
      trouble_ = address.error();
      return;
    }
    facts_.address = *address;
  }
  auto folders = volumes_.Materialize(pod_, facts_.address);
  if (!folders.ok()) {
    trouble_ = folders.error();
    return;
  }
  volume_folders_ = std::move(folders).value();
  if (log_) return;
  std::error_code error;
  if (contained()) {
    if (options_.hosts) names_ = options_.hosts(key_.ns);
    auto files = WritePodFiles(folder_ / "files", pod_, Hosts(), WantsApiServer() ? options_.api_server : "");
    if (!files.ok()) {
      trouble_ = files.error();
      return;
    }
    files_ = std::move(files).value();
    std::filesystem::create_directories(folder_ / "root", error);
  }
  std::filesystem::create_directories(options_.root / "logs", error);
  std::filesystem::create_directories(folder_, error);
  auto opened = PodLog::Open(PodLogPath(options_.root, key_.ns, key_.name), options_.max_log_bytes);
  if (opened.ok()) {
    log_.emplace(std::move(opened).value());
  } else {
    trouble_ = opened.error();
  }
}

std::vector<ContainerRun*> PodWorker::Current() {
  for (ContainerRun& each : init_containers_) {
    bool succeeded = each.done() && each.state().exit_code == 0;
    if (!succeeded) return {&each};
  }
  std::vector<ContainerRun*> all;
  for (ContainerRun& each : containers_) all.push_back(&each);
  return all;
}

void PodWorker::StartContainers(MonotonicTime now) {
  std::vector<ContainerRun*> current = Current();
  bool starting =
      std::any_of(current.begin(), current.end(), [&](const ContainerRun* each) { return each->WantsToStart(now); });
  if (!starting && !refresh_.exchange(false)) return;
  Prepare();
  if (trouble_ && !starting) {
    log::Warn("a pod's volumes could not be refreshed", {{"pod", key_.ToString()}, {"error", trouble_->message()}});
    return;
  }
  for (ContainerRun* each : current) {
    if (each->WantsToStart(now)) StartContainer(*each);
  }
}

void PodWorker::StartContainer(ContainerRun& container) {
  Result<ContainerPlan> plan =
      trouble_ ? Result<ContainerPlan>(*trouble_) : PlanContainer(pod_, container.specification(), Surroundings());
  container.Start(plan, facts_.address, log_ ? &*log_ : nullptr);
}

bool PodWorker::WantsApiServer() const {
  return !options_.api_server.empty() && !TextAt(pod_, {"spec", "serviceAccountName"}).empty() &&
         BoolAt(pod_, {"spec", "automountServiceAccountToken"}, true);
}

std::string PodWorker::Hosts() const {
  std::string text = fmt::format("127.0.0.1 localhost\n{} {}\n", facts_.address, key_.name);
  return names_ ? text + *names_ : text;
}

void PodWorker::FollowNames() {
  if (!contained() || files_.empty() || !options_.hosts) return;
  std::shared_ptr<const std::string> names = options_.hosts(key_.ns);
  if (names == names_) return;
  names_ = std::move(names);
  Status written = RewriteHosts(folder_ / "files", Hosts());
  if (!written.ok()) log::Warn("a pod's names could not be written", {{"error", written.error().message()}});
}

void PodWorker::StopContainers(MonotonicTime now) {
  MonotonicTime kill_at;
  {
    std::lock_guard lock(mutex_);
    kill_at = *kill_at_;
  }
  bool kill = now >= kill_at;
  if (!asked_to_stop_ || kill) {
    for (ContainerRun& each : init_containers_) each.Signal(kill ? SIGKILL : SIGTERM);
    for (ContainerRun& each : containers_) each.Signal(kill ? SIGKILL : SIGTERM);
  }
  asked_to_stop_ = true;
}

ContainerSurroundings PodWorker::Surroundings() const {
  ContainerSurroundings around;
  around.program_folder = options_.program_folder;
  around.volumes = volume_folders_;
  around.address = facts_.address;
  around.environment = options_.environment;
  around.directory = folder_;
  if (contained()) {
    around.root_folder = folder_ / "root";
    around.files = files_;
    if (WantsApiServer()) around.environment["KUBECONFIG"] = kKubeconfigInContainer;
  }
  around.lookup = [this](const std::string& collection,
                         const std::string& name) -> std::optional<std::map<std::string, std::string>> {
    ApiServer::Reply reply = api_.Call("GET", fmt::format("/api/v1/namespaces/{}/{}/{}", key_.ns, collection, name));
    if (!reply.ok()) return std::nullopt;
    std::map<std::string, std::string> data;
    for (const auto& [key, value] : ObjectAt(reply.body, {"data"}).items()) {
      std::string text = value.is_string() ? value.get<std::string>() : "";
      if (collection == "secrets") {
        auto plain = kube::Base64Decode(text);
        if (!plain.ok()) continue;
        text = std::move(plain).value();
      }
      data[key] = std::move(text);
    }
    return data;
  };
  return around;
}

bool PodWorker::StatusIsPublished() const {
  const auto same = [](const std::vector<ContainerRun>& runs, const std::vector<ContainerState>& states) {
    return std::equal(runs.begin(), runs.end(), states.begin(), states.end(),
                      [](const ContainerRun& run, const ContainerState& state) { return run.state() == state; });
  };
  return told_ && told_->address == facts_.address && same(init_containers_, told_->init_containers) &&
         same(containers_, told_->containers);
}

void PodWorker::PublishStatus() {
  if (StatusIsPublished()) return;
  facts_.containers.clear();
  facts_.init_containers.clear();
  for (const ContainerRun& each : init_containers_) facts_.init_containers.push_back(each.state());
  for (const ContainerRun& each : containers_) facts_.containers.push_back(each.state());
  Json before = pod_;
  before["status"] = published_;
  Json status = PodStatus(before, facts_, ApiTime(clock_));
  if (status == published_) {
    told_ = facts_;
    return;
  }
  // The uid makes the patch miss a pod of the same name that came after this one.
  Json patch = {{"metadata", {{"uid", uid_}}}, {"status", status}};
  ApiServer::Reply reply = api_.Call("PATCH", fmt::format("/api/v1/namespaces/{}/pods/{}/status", key_.ns, key_.name),
                                     patch, "application/merge-patch+json", kAgent);
  if (reply.ok() || reply.status == 404 || reply.status == 409) {
    published_ = std::move(status);
    told_ = facts_;
  } else {
    log::Warn("the status of a pod could not be written",
              {{"pod", key_.ToString()}, {"error", TextAt(reply.body, {"message"})}});
  }
}

}  // namespace holdfast::local
