#include "operator/sentinel/reconciler.h"

#include <algorithm>
#include <future>
#include <utility>

#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using runtime::Outcome;

Result<std::string> FileOf(const Json& secret, const char* file) {
  const std::string text = kube::StringAt(secret, std::string("/data/") + file);
  if (text.empty()) return Error(ErrorCode::kFailedPrecondition, std::string("a Secret without ") + file);
  return kube::Base64Decode(text);
}

bool HasCondition(const Json& pod, const char* type) {
  static const Json::json_pointer pointer("/status/conditions");
  if (!pod.contains(pointer)) return false;
  const Json& conditions = pod.at(pointer);
  return std::any_of(conditions.begin(), conditions.end(), [type](const Json& each) {
    return kube::StringAt(each, "/type") == type && kube::StringAt(each, "/status") == "True";
  });
}

const api::BackendSpec* Find(const api::StorageCluster& cluster, const std::string& name) {
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.name == name && backend.redis() != nullptr && backend.redis()->sentinel) return &backend;
  }
  return nullptr;
}

}  // namespace

std::optional<runtime::Request> RequestOfPod(const Json& pod) {
  const std::string role = kube::LabelOf(pod, resources::kRoleLabel);
  if (role != resources::kSentinelRole && role != resources::kRedisRole) return std::nullopt;
  const std::string cluster = kube::LabelOf(pod, resources::kClusterLabel);
  const std::string backend = kube::LabelOf(pod, resources::kBackendLabel);
  if (cluster.empty() || backend.empty()) return std::nullopt;
  return runtime::Request{kube::KeyOf(pod).ns, cluster + "/" + backend};
}

SentinelReconciler::SentinelReconciler(kube::Client& client, kube::EventRecorder& events,
                                       std::function<Copies(const std::string& ns)> copies_of,
                                       SentinelClient& sentinels, const SentinelOptions& options,
                                       metrics::Registry& registry, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      sentinels_(sentinels),
      options_(options),
      failovers_(registry.GetCounter("holdfast_redis_master_changes_total",
                                     "Changes of the master of Redis backends with sentinels, planned ones too.")),
      clock_(clock) {}

std::shared_ptr<SentinelReconciler::Memory> SentinelReconciler::MemoryOf(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Memory>& memory = memories_[request];
  if (memory == nullptr) memory = std::make_shared<Memory>();
  return memory;
}

void SentinelReconciler::Forget(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  memories_.erase(request);
}

Result<Outcome> SentinelReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const std::size_t slash = request.name.find('/');
  const kube::ObjectKey key{request.ns, request.name.substr(0, slash)};
  const kube::ObjectPtr object = copies_of_(request.ns).clusters->Get(key);
  const bool there = object != nullptr && slash != std::string::npos && !kube::IsBeingDeleted(*object);
  const api::ParsedStorageCluster parsed = there ? api::ParseStorageCluster(*object) : api::ParsedStorageCluster();
  const api::BackendSpec* backend = parsed.cluster ? Find(*parsed.cluster, request.name.substr(slash + 1)) : nullptr;
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  if (backend == nullptr || parsed.cluster->hibernated) {
    Forget(request);
    const std::string name = slash == std::string::npos ? std::string() : request.name.substr(slash + 1);
    if (!parsed.cluster || !ViewOf(*object, name)) return Outcome::Done();
    HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, key, deadline));
    HOLDFAST_RETURN_IF_ERROR(EraseView(client_, std::move(live), name, deadline));
    return Outcome::Done();
  }
  const Watched watched{key.ns, key.name, backend};
  const std::shared_ptr<Memory> memory = MemoryOf(request);
  HOLDFAST_RETURN_IF_ERROR(ReadSecrets(watched, memory.get(), deadline));
  const api::RedisBackend& redis = *backend->redis();
  View view = Judge(backend->name, AskAll(watched, memory.get(), deadline), redis.sentinel->sentinels, redis.instances);
  if (view.state == State::kServing && !IsReady(watched, view.master)) view.state = State::kNoMaster;
  const std::optional<View> before = ViewOf(*object, backend->name);
  memory->silent_looks = view.state == State::kSentinelsSilent ? memory->silent_looks + 1 : 0;
  // They may have got another password.
  if (memory->silent_looks > 0 && memory->silent_looks % options_.patience == 0) memory->secrets.reset();
  const bool tells = memory->silent_looks == 0 || memory->silent_looks >= options_.patience;
  if (tells && before != view) {
    if (view.state == State::kSentinelsSilent && before) view.master = before->master;
    // The copy is not whole (setup.cc), and may be late.
    HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, key, deadline));
    if (kube::UidOf(live) != kube::UidOf(*object)) return Outcome::After(options_.interval);
    HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteView(client_, std::move(live), view, deadline));
    Tell(written, before, view);
  }
  return Outcome::After(options_.interval);
}

Status SentinelReconciler::ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const {
  const MonotonicTime now = clock_.Monotonic();
  if (memory->secrets && now - memory->secrets->read < options_.secrets_lifetime) return {};
  const std::string& backend = watched.backend->name;
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json credentials,
      client_.Get(kube::kinds::kSecret, {watched.ns, resources::CredentialsName(watched.cluster, backend)}, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json tls,
      client_.Get(kube::kinds::kSecret, {watched.ns, resources::ServerTlsName(watched.cluster, backend)}, deadline));
  Secrets secrets{.authority = {}, .password = {}, .read = now};
  HOLDFAST_ASSIGN_OR_RETURN(secrets.authority, FileOf(tls, resources::kAuthorityFile));
  HOLDFAST_ASSIGN_OR_RETURN(secrets.password, FileOf(credentials, resources::kKeeperPassword));
  memory->secrets = std::move(secrets);
  return {};
}

std::vector<Report> SentinelReconciler::AskAll(const Watched& watched, Memory* memory, Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  const std::string set = resources::SentinelName(watched.cluster, watched.backend->name);
  std::vector<std::future<Result<Report>>> asked;
  for (std::int64_t i = 0; i < watched.backend->redis()->sentinel->sentinels; ++i) {
    const std::string name = resources::PodName(set, i);
    const kube::ObjectPtr pod = copies_of_(watched.ns).sentinels->Get({watched.ns, name});
    const std::string address = pod == nullptr ? std::string() : kube::StringAt(*pod, "/status/podIP");
    if (address.empty()) continue;
    Endpoint endpoint{.address = address,
                      .port = resources::kSentinelPort,
                      .name = resources::ServiceHost(name, watched.ns),
                      .authority = memory->secrets->authority,
                      .user = resources::kKeeperUser,
                      .password = memory->secrets->password};
    asked.push_back(std::async(std::launch::async, [this, endpoint = std::move(endpoint), patience] {
      return sentinels_.Ask(endpoint, resources::kRedisMasterName, patience);
    }));
  }
  std::vector<Report> reports;
  for (std::future<Result<Report>>& each : asked) {
    Result<Report> report = each.get();
    if (report.ok()) reports.push_back(std::move(report).value());
  }
  return reports;
}

bool SentinelReconciler::IsReady(const Watched& watched, const std::string& pod) const {
  const kube::ObjectPtr server = copies_of_(watched.ns).servers->Get({watched.ns, pod});
  return server != nullptr && !kube::IsBeingDeleted(*server) && HasCondition(*server, "Ready");
}

void SentinelReconciler::Tell(const Json& cluster, const std::optional<View>& before, const View& after) {
  const std::string backend = "backend " + after.backend + ": ";
  if (before && !before->master.empty() && !after.master.empty() && before->master != after.master) {
    failovers_.Increment();
    events_.Record(cluster, kube::EventType::kNormal, "MasterChanged",
                   backend + after.master + " is the master, before " + before->master);
  }
  if (before && before->state == after.state) return;
  if (after.state == State::kFailingOver) {
    events_.Record(cluster, kube::EventType::kNormal, "FailoverStarted", backend + "the sentinels replace the master");
  } else if (after.state == State::kNoMaster && before) {
    events_.Record(cluster, kube::EventType::kWarning, "NoMaster",
                   backend + (after.master.empty() ? "nobody" : after.master) + " is the master and does not serve");
  } else if (after.state == State::kSentinelsSilent && before) {
    events_.Record(cluster, kube::EventType::kWarning, "SentinelsSilent", backend + "most sentinels do not answer");
  }
}

}  // namespace holdfast::sentinel
