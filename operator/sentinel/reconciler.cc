#include "operator/sentinel/reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/annotations.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "operator/resources/redis_servers.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using runtime::Outcome;

Result<std::string> FileOf(const Json& secret, const char* file) {
  const std::string text = kube::StringAt(secret, std::string("/data/") + file);
  if (text.empty()) return Error(ErrorCode::kFailedPrecondition, std::string("a Secret without ") + file);
  return kube::Base64Decode(text);
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
                                       const failover::PodHistory& history, SentinelClient& sentinels,
                                       const SentinelOptions& options, metrics::Registry& registry, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      history_(history),
      sentinels_(sentinels),
      options_(options),
      failovers_(registry.GetCounter("holdfast_redis_master_changes_total",
                                     "Changes of the master of Redis backends with sentinels, planned ones too.")),
      hastened_(registry.GetCounter("holdfast_redis_failovers_hastened_total",
                                    "Failovers of Redis backends that the sentinels were told to begin, because the "
                                    "master was known to have ended.")),
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
  const bool halted = api::IsPaused(*object);
  const kube::ObjectPtr set = copies_of_(key.ns).sets->Get({key.ns, resources::BackendName(key.name, backend->name)});
  const std::int64_t wanted = backend->redis()->instances;
  const Watched watched{.cluster = key,
                        .uid = kube::UidOf(*object),
                        .backend = backend,
                        .servers = std::max(wanted, resources::PresentServers(wanted, set.get()).names),
                        .halted = halted,
                        .hands_off = halted || parsed.cluster->spec.failover.mode == api::FailoverMode::kManual};
  return Watch(watched, *object, MemoryOf(request).get(), deadline);
}

Result<Outcome> SentinelReconciler::Watch(const Watched& watched, const Json& object, Memory* memory,
                                          Deadline deadline) {
  HOLDFAST_RETURN_IF_ERROR(ReadSecrets(watched, memory, deadline));
  const api::RedisBackend& redis = *watched.backend->redis();
  Look look{.watched = watched,
            .memory = *memory,
            .answers = AskAll(watched, *memory, deadline),
            .view = {},
            .intent = failover::IntentOf(object, watched.backend->name)};
  std::vector<Report> reports;
  for (const Answer& answer : look.answers) reports.push_back(answer.report);
  View& view = look.view;
  view = Judge(watched.backend->name, reports, redis.sentinel->sentinels, redis.instances);
  if (view.state == State::kServing && !IsReady(watched, view.master)) view.state = State::kNoMaster;
  const std::optional<View> before = ViewOf(object, watched.backend->name);
  memory->silent_looks = view.state == State::kSentinelsSilent ? memory->silent_looks + 1 : 0;
  // They may have got another password: the last look before that is told is by the newest.
  if (memory->silent_looks > 0 && (memory->silent_looks + 1) % options_.patience == 0) memory->secrets.reset();
  // First, since every moment counts.
  HOLDFAST_ASSIGN_OR_RETURN(bool busy, Hasten(look, deadline));
  const bool tells = memory->silent_looks == 0 || memory->silent_looks >= options_.patience;
  if (tells && before != view) {
    if (view.state == State::kSentinelsSilent && before) view.master = before->master;
    // The copy is not whole (setup.cc), and may be late.
    HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, watched.cluster, deadline));
    if (kube::UidOf(live) != watched.uid) return Outcome::After(options_.interval);
    HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteView(client_, std::move(live), view, deadline));
    Tell(written, before, view);
  }
  if (tells) {
    const auto summarize = [&](failover::Intent* intent) { Summarize(look, intent); };
    HOLDFAST_RETURN_IF_ERROR(Publish(look, summarize, deadline));
  }
  if (memory->secrets) {
    HOLDFAST_ASSIGN_OR_RETURN(const bool rolling, Roll(look, deadline));
    busy = busy || rolling;
    // Behind a rolling change, which may be what brings those that stay in step.
    if (!rolling) {
      HOLDFAST_ASSIGN_OR_RETURN(const bool scaling, Scale(look, deadline));
      busy = busy || scaling;
    }
  }
  return Outcome::After(busy || view.state != State::kServing ? options_.busy_interval : options_.interval);
}

Status SentinelReconciler::ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const {
  const MonotonicTime now = clock_.Monotonic();
  if (memory->secrets && now - memory->secrets->read < options_.secrets_lifetime) return {};
  const std::string& backend = watched.backend->name;
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json credentials,
      client_.Get(kube::kinds::kSecret, {watched.cluster.ns, resources::CredentialsName(watched.cluster.name, backend)},
                  deadline));
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json tls,
      client_.Get(kube::kinds::kSecret, {watched.cluster.ns, resources::ServerTlsName(watched.cluster.name, backend)},
                  deadline));
  Secrets secrets{.authority = {}, .password = {}, .read = now};
  HOLDFAST_ASSIGN_OR_RETURN(secrets.authority, FileOf(tls, resources::kAuthorityFile));
  HOLDFAST_ASSIGN_OR_RETURN(secrets.password, FileOf(credentials, resources::kKeeperPassword));
  memory->secrets = std::move(secrets);
  return {};
}

std::optional<Endpoint> SentinelReconciler::EndpointOf(const kube::ObjectPtr& pod, std::uint16_t port,
                                                       const Memory& memory) const {
  const std::string address = pod == nullptr ? std::string() : kube::StringAt(*pod, "/status/podIP");
  if (address.empty()) return std::nullopt;
  const kube::ObjectKey key = kube::KeyOf(*pod);
  return Endpoint{.address = address,
                  .port = port,
                  .name = resources::ServiceHost(key.name, key.ns),
                  .authority = memory.secrets->authority,
                  .user = resources::kKeeperUser,
                  .password = memory.secrets->password};
}

std::vector<SentinelReconciler::Answer> SentinelReconciler::AskAll(const Watched& watched, const Memory& memory,
                                                                   Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  const std::string set = resources::SentinelName(watched.cluster.name, watched.backend->name);
  const kube::Lister& pods = *copies_of_(watched.cluster.ns).sentinels;
  std::vector<std::pair<Endpoint, std::future<Result<Report>>>> asked;
  for (std::int64_t i = 0; i < watched.backend->redis()->sentinel->sentinels; ++i) {
    const auto endpoint =
        EndpointOf(pods.Get({watched.cluster.ns, resources::PodName(set, i)}), resources::kSentinelPort, memory);
    if (!endpoint) continue;
    asked.emplace_back(*endpoint, std::async(std::launch::async, [this, endpoint = *endpoint, patience] {
      return sentinels_.Ask(endpoint, resources::kRedisMasterName, patience);
    }));
  }
  std::vector<Answer> answers;
  for (auto& [endpoint, answer] : asked) {
    Result<Report> report = answer.get();
    if (report.ok()) answers.push_back({endpoint, std::move(report).value()});
  }
  return answers;
}

SentinelReconciler::Servers SentinelReconciler::AskServers(const Watched& watched, const Memory& memory,
                                                           Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  const std::string set = resources::BackendName(watched.cluster.name, watched.backend->name);
  const kube::Lister& pods = *copies_of_(watched.cluster.ns).servers;
  std::vector<std::pair<std::string, std::future<Result<ServerReport>>>> asked;
  for (std::int64_t i = 0; i < watched.servers; ++i) {
    const std::string pod = resources::PodName(set, i);
    const auto endpoint = EndpointOf(pods.Get({watched.cluster.ns, pod}), resources::kRedisPort, memory);
    if (!endpoint) continue;
    asked.emplace_back(pod, std::async(std::launch::async, [this, endpoint = *endpoint, patience] {
                         return sentinels_.AskServer(endpoint, patience);
                       }));
  }
  Servers servers;
  for (auto& [pod, answer] : asked) {
    Result<ServerReport> report = answer.get();
    if (report.ok()) servers.emplace(pod, std::move(report).value());
  }
  return servers;
}

bool SentinelReconciler::IsReady(const Watched& watched, const std::string& pod) const {
  const kube::ObjectPtr server = copies_of_(watched.cluster.ns).servers->Get({watched.cluster.ns, pod});
  return server != nullptr && kube::IsReady(*server);
}

Result<SentinelReconciler::Pods> SentinelReconciler::ReadPods(const Watched& watched, Deadline deadline) const {
  kube::ListOptions options;
  options.label_selector =
      fmt::format("{}={},{}={},{}={}", resources::kRoleLabel, resources::kRedisRole, resources::kClusterLabel,
                  watched.cluster.name, resources::kBackendLabel, watched.backend->name);
  auto list = client_.List(kube::kinds::kPod, watched.cluster.ns, options, deadline);
  if (!list.ok()) return std::move(list).error().WithContext("reading the pods of the servers");
  Pods pods;
  for (Json& pod : list->items) {
    std::string name = kube::KeyOf(pod).name;
    pods.emplace(std::move(name), std::move(pod));
  }
  return pods;
}

void SentinelReconciler::Summarize(const Look& look, failover::Intent* intent) const {
  const View& view = look.view;
  const bool serving = view.state == State::kServing;
  intent->backend = view.backend;
  intent->ready = serving && view.in_step > 0;
  intent->ready_reason = intent->ready ? "ReplicaInStep" : serving ? "NoReplicaInStep" : NameOf(view.state);
  if (!serving) return;
  intent->primary = view.master;
  if (!intent->Open()) return;
  intent->step = failover::steps::kDone;
  intent->to = view.master;
  intent->finished_at = Now();
}

Result<Json> SentinelReconciler::Publish(const Look& look, const Change& change, Deadline deadline) {
  const auto changed = [&](const std::optional<failover::Intent>& present) {
    failover::Intent intent = present.value_or(failover::Intent{});
    change(&intent);
    return intent;
  };
  if (look.intent && changed(look.intent) == *look.intent) return Json();
  HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, look.watched.cluster, deadline));
  if (kube::UidOf(live) != look.watched.uid) return Json();
  const failover::Intent intent = changed(failover::IntentOf(live, look.watched.backend->name));
  return failover::WriteIntent(client_, std::move(live), intent, clock_, deadline);
}

std::string SentinelReconciler::Now() const {
  return FormatTimestamp(std::chrono::floor<std::chrono::milliseconds>(clock_.Now()));
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
