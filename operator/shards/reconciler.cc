#include "operator/shards/reconciler.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/log/log.h"
#include "operator/api/v1/annotations.h"
#include "operator/api/v1/redis_fields.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "operator/resources/redis_servers.h"
#include "operator/shards/scale_in.h"

namespace holdfast::shards {
namespace {

using kube::Json;
using runtime::Outcome;

constexpr char kBegun[] = "yes";
// That a backend may ever have had.
constexpr std::int64_t kMostServers = api::kMaximumShards * (1 + api::kMaximumReplicasPerShard);

Result<std::string> FileOf(const Json& secret, const char* file) {
  const std::string text = kube::StringAt(secret, std::string("/data/") + file);
  if (text.empty()) return Error(ErrorCode::kFailedPrecondition, std::string("a Secret without ") + file);
  return kube::Base64Decode(text);
}

const api::BackendSpec* Find(const api::StorageCluster& cluster, const std::string& name) {
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (backend.name == name && backend.redis() != nullptr && backend.redis()->shards) return &backend;
  }
  return nullptr;
}

TransferLimits LimitsOf(const api::RedisShards& spec, TransferLimits limits) {
  limits.slots_at_once = static_cast<std::size_t>(spec.slots_at_once);
  limits.keys_at_once = static_cast<std::size_t>(spec.keys_at_once);
  limits.pause = std::chrono::milliseconds{spec.move_pause_milliseconds};
  return limits;
}

std::string BackendOf(const runtime::Request& request) {
  const std::size_t slash = request.name.find('/');
  return slash == std::string::npos ? std::string() : request.name.substr(slash + 1);
}

kube::ObjectKey ClusterOf(const runtime::Request& request) {
  return {request.ns, request.name.substr(0, request.name.find('/'))};
}

}  // namespace

std::optional<runtime::Request> RequestOfPod(const Json& pod) {
  if (kube::LabelOf(pod, resources::kRoleLabel) != resources::kRedisRole) return std::nullopt;
  const std::string cluster = kube::LabelOf(pod, resources::kClusterLabel);
  const std::string backend = kube::LabelOf(pod, resources::kBackendLabel);
  if (cluster.empty() || backend.empty()) return std::nullopt;
  return runtime::Request{kube::KeyOf(pod).ns, cluster + "/" + backend};
}

ShardReconciler::ShardReconciler(kube::Client& client, kube::EventRecorder& events,
                                 std::function<Copies(const std::string& ns)> copies_of, ShardClient& servers,
                                 const ShardOptions& options, metrics::Registry& registry, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      servers_(servers),
      options_(options),
      changes_(registry.GetCounter("holdfast_redis_shard_master_changes_total",
                                   "Changes of the masters of shards of Redis Clusters, planned ones too.")),
      clock_(clock) {}

std::shared_ptr<ShardReconciler::Memory> ShardReconciler::MemoryOf(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Memory>& memory = memories_[request];
  if (memory == nullptr) memory = std::make_shared<Memory>();
  return memory;
}

Result<Outcome> ShardReconciler::StopWatching(const runtime::Request& request, const Json* object) {
  {
    const std::lock_guard lock(mutex_);
    memories_.erase(request);
  }
  if (object == nullptr || !ViewOf(*object, BackendOf(request))) return Outcome::Done();
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, ClusterOf(request), deadline));
  HOLDFAST_RETURN_IF_ERROR(EraseView(client_, std::move(live), BackendOf(request), deadline));
  return Outcome::Done();
}

Result<Outcome> ShardReconciler::Reconcile(const runtime::Request& request, std::stop_token /*stop*/) {
  const kube::ObjectPtr object = copies_of_(request.ns).clusters->Get(ClusterOf(request));
  const bool there = object != nullptr && !kube::IsBeingDeleted(*object);
  const api::ParsedStorageCluster parsed = there ? api::ParseStorageCluster(*object) : api::ParsedStorageCluster();
  const api::BackendSpec* backend = parsed.cluster ? Find(*parsed.cluster, BackendOf(request)) : nullptr;
  if (backend == nullptr || parsed.cluster->hibernated) {
    return StopWatching(request, parsed.cluster ? object.get() : nullptr);
  }
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  const Watched watched{request.ns, &*parsed.cluster, backend};
  const std::shared_ptr<Memory> memory = MemoryOf(request);
  HOLDFAST_RETURN_IF_ERROR(ReadSecrets(watched, memory.get(), deadline));
  const api::RedisShards& spec = *backend->redis()->shards;
  const std::vector<Endpoint> endpoints = Endpoints(watched, *memory->secrets);
  const Facts facts{.set = resources::BackendName(parsed.cluster->name, backend->name),
                    .shards = spec.count,
                    .replicas = spec.replicas,
                    // As Redis reckons (cluster-replica-validity-factor, repl-ping-replica-period).
                    .recent = 10 * spec.node_timeout_milliseconds / 1'000 + 10,
                    .begun = memory->secrets->begun,
                    .beyond = HasPodsBeyond(watched),
                    .reports = AskAll(endpoints, deadline)};
  const std::vector<Command> commands = Decide(facts);
  TellAll(commands, endpoints, watched, deadline);
  const TransferLimits limits = LimitsOf(spec, options_.transfer);
  const SlotPlan plan = PlanSlots(facts, limits.slots_at_once);
  TellAll(plan.commands, endpoints, watched, deadline);
  MoveSlots(plan, facts, endpoints, watched, limits);

  View looked = Look(backend->name, facts);
  looked.to_move = plan.left;
  looked.waits = plan.waits;
  if (facts.beyond && facts.begun) {
    const std::string without = WhyNotWithout(facts, Owners(facts.reports));
    if (without.empty() && AreForgotten(facts)) HOLDFAST_RETURN_IF_ERROR(LetGo(*object, watched, deadline));
    if (!without.empty() && plan.left == 0) looked.waits = "servers that should go stay: " + without;
  }
  View view = Weigh(std::move(looked), watched, memory.get());
  // There is something worse to tell.
  if (view.state == State::kSilent || view.state == State::kShardLost) view.waits.clear();
  const std::optional<View> before = ViewOf(*object, backend->name);
  const bool tells = memory->silent_looks == 0 || memory->silent_looks >= options_.patience;
  if (tells && before != view) {
    // The copy is not whole (setup.cc), and may be late.
    HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, ClusterOf(request), deadline));
    if (kube::UidOf(live) != kube::UidOf(*object)) return Outcome::After(options_.interval);
    HOLDFAST_ASSIGN_OR_RETURN(const Json written, WriteView(client_, std::move(live), view, deadline));
    Announce(written, before, view);
  }
  if (!plan.moves.empty()) return Outcome::After(limits.pause);
  return Outcome::After(commands.empty() ? options_.interval : options_.busy_interval);
}

void ShardReconciler::MoveSlots(const SlotPlan& plan, const Facts& facts, const std::vector<Endpoint>& endpoints,
                                const Watched& watched, const TransferLimits& limits) const {
  const auto at = [&](std::int64_t ordinal) {
    return std::find_if(endpoints.begin(), endpoints.end(),
                        [&](const Endpoint& each) { return each.ordinal == ordinal; });
  };
  const auto id_of = [&](std::int64_t ordinal) {
    const auto report = std::find_if(facts.reports.begin(), facts.reports.end(),
                                     [&](const Report& each) { return each.ordinal == ordinal; });
    return report == facts.reports.end() ? std::string() : report->self().id;
  };
  for (const SlotMove& move : plan.moves) {
    const auto from = at(move.from);
    const auto to = at(move.to);
    if (from == endpoints.end() || to == endpoints.end()) continue;
    const Status moved = servers_.Move(*from, id_of(move.from), *to, id_of(move.to), move.slots, limits);
    if (moved.ok()) continue;
    // Gone on with in the next round, by what the servers say then.
    log::Warn("slots of a Redis Cluster were not all moved",
              {{"namespace", watched.ns}, {"from", from->name}, {"to", to->name}, {"error", moved.error().message()}});
    return;
  }
}

View ShardReconciler::Weigh(View view, const Watched& watched, Memory* memory) const {
  memory->silent_looks = view.state == State::kSilent ? memory->silent_looks + 1 : 0;
  // They may have got another password: the last look before that is told is by the newest.
  if (memory->silent_looks > 0 && (memory->silent_looks + 1) % options_.patience == 0) memory->secrets.reset();
  if (view.state != State::kFailingOver) {
    memory->unserved_since.reset();
    return view;
  }
  const MonotonicTime now = clock_.Monotonic();
  if (!memory->unserved_since) memory->unserved_since = now;
  // A replica waits for the node timeout, and then for most masters' votes.
  const std::chrono::milliseconds node_timeout{watched.backend->redis()->shards->node_timeout_milliseconds};
  return now - *memory->unserved_since >= options_.lost_after + 2 * node_timeout ? AsLost(std::move(view))
                                                                                 : std::move(view);
}

Status ShardReconciler::ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const {
  const MonotonicTime now = clock_.Monotonic();
  // Who has begun has begun for good; whether it has is looked at anew.
  if (memory->secrets && memory->secrets->begun && now - memory->secrets->read < options_.secrets_lifetime) return {};
  const std::string& cluster = watched.cluster->name;
  const std::string& backend = watched.backend->name;
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json credentials,
      client_.Get(kube::kinds::kSecret, {watched.ns, resources::CredentialsName(cluster, backend)}, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(
      const Json tls,
      client_.Get(kube::kinds::kSecret, {watched.ns, resources::ServerTlsName(cluster, backend)}, deadline));
  Secrets secrets{.authority = {}, .password = {}, .begun = true, .read = now};
  HOLDFAST_ASSIGN_OR_RETURN(secrets.authority, FileOf(tls, resources::kAuthorityFile));
  HOLDFAST_ASSIGN_OR_RETURN(secrets.password, FileOf(credentials, resources::kKeeperPassword));
  HOLDFAST_ASSIGN_OR_RETURN(const std::string begun, FileOf(credentials, resources::kInitializedFile));
  secrets.begun = begun == kBegun;
  memory->secrets = std::move(secrets);
  return {};
}

std::vector<Endpoint> ShardReconciler::Endpoints(const Watched& watched, const Secrets& secrets) const {
  std::vector<Endpoint> endpoints;
  const std::string set = resources::BackendName(watched.cluster->name, watched.backend->name);
  for (std::int64_t i = 0; i < kMostServers; ++i) {
    const kube::ObjectPtr pod = copies_of_(watched.ns).servers->Get({watched.ns, resources::PodName(set, i)});
    if (pod == nullptr || kube::IsBeingDeleted(*pod)) continue;
    std::string address = kube::StringAt(*pod, "/status/podIP");
    if (address.empty()) continue;
    endpoints.push_back({.ordinal = i,
                         .address = std::move(address),
                         .port = resources::kRedisPort,
                         .name = resources::ShardServerHost(*watched.cluster, watched.backend->name, i),
                         .authority = secrets.authority,
                         .user = resources::kKeeperUser,
                         .password = secrets.password});
  }
  return endpoints;
}

bool ShardReconciler::HasPodsBeyond(const Watched& watched) const {
  const std::string set = resources::BackendName(watched.cluster->name, watched.backend->name);
  for (std::int64_t i = watched.backend->redis()->instances; i < kMostServers; ++i) {
    if (copies_of_(watched.ns).servers->Get({watched.ns, resources::PodName(set, i)}) != nullptr) return true;
  }
  return false;
}

Status ShardReconciler::LetGo(const Json& cluster, const Watched& watched, Deadline deadline) {
  if (api::IsPaused(cluster)) return {};
  const std::int64_t wanted = watched.backend->redis()->instances;
  const kube::ObjectKey key{watched.ns, resources::BackendName(watched.cluster->name, watched.backend->name)};
  HOLDFAST_ASSIGN_OR_RETURN(const Json set, client_.Get(kube::kinds::kStatefulSet, key, deadline));
  if (resources::PresentServers(wanted, &set).pods <= wanted || resources::AreEnoughServers(wanted, set)) return {};
  auto said = client_.MergePatch(kube::kinds::kStatefulSet, key, resources::EnoughServersPatch(wanted, set), deadline);
  if (!said.ok()) return std::move(said).error().WithContext("letting servers go");
  events_.Record(cluster, kube::EventType::kNormal, "ServersLetGo",
                 "backend " + watched.backend->name + ": " + std::to_string(wanted) +
                     " servers have all slots, and the others are forgotten: their pods go, their volumes stay");
  return {};
}

std::vector<Report> ShardReconciler::AskAll(const std::vector<Endpoint>& endpoints, Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  std::vector<std::future<Result<Report>>> asked;
  for (const Endpoint& endpoint : endpoints) {
    asked.push_back(
        std::async(std::launch::async, [this, &endpoint, patience] { return servers_.Ask(endpoint, patience); }));
  }
  std::vector<Report> reports;
  for (std::future<Result<Report>>& each : asked) {
    Result<Report> report = each.get();
    if (report.ok()) reports.push_back(std::move(report).value());
  }
  Distrust(&reports);
  return reports;
}

void ShardReconciler::TellAll(const std::vector<Command>& commands, const std::vector<Endpoint>& endpoints,
                              const Watched& watched, Deadline deadline) const {
  for (const Command& command : commands) {
    const auto server = std::find_if(endpoints.begin(), endpoints.end(),
                                     [&](const Endpoint& each) { return each.ordinal == command.ordinal; });
    if (server == endpoints.end()) continue;
    const Status told =
        servers_.Tell(*server, command.words, Deadline::After(options_.answer_timeout).Sooner(deadline));
    std::string words;
    for (const std::string& word : command.words) words.append(words.empty() ? "" : " ").append(word);
    if (told.ok()) {
      log::Info("told a server of a Redis Cluster",
                {{"namespace", watched.ns}, {"server", server->name}, {"command", words.substr(0, 200)}});
    } else {
      // Looked at again soon, by what the servers say then.
      log::Warn("a server of a Redis Cluster did not do as it was told", {{"namespace", watched.ns},
                                                                          {"server", server->name},
                                                                          {"command", words.substr(0, 200)},
                                                                          {"error", told.error().message()}});
    }
  }
}

void ShardReconciler::Announce(const Json& cluster, const std::optional<View>& before, const View& after) {
  const std::string backend = "backend " + after.backend + ": ";
  for (const View::Shard& shard : after.shards) {
    if (!before || shard.master.empty()) break;
    const auto same = std::find_if(before->shards.begin(), before->shards.end(),
                                   [&](const View::Shard& each) { return each.slots == shard.slots; });
    if (same == before->shards.end() || same->master.empty() || same->master == shard.master) continue;
    changes_.Increment();
    events_.Record(cluster, kube::EventType::kNormal, "MasterChanged",
                   backend + shard.master + " is the master of slots " + shard.slots + ", before " + same->master);
  }
  const bool moves = after.to_move > 0;
  if (before && moves != (before->to_move > 0)) {
    events_.Record(cluster, kube::EventType::kNormal, moves ? "SlotsMoving" : "SlotsMoved",
                   backend + (moves ? std::to_string(after.to_move) + " slots are to be moved to another shard"
                                    : "every shard has its part of the slots"));
  }
  if (before && before->state == after.state) return;
  if (after.state == State::kServing && before) {
    events_.Record(cluster, kube::EventType::kNormal, "SlotsServed", backend + "every slot is served");
  } else if (after.state == State::kFailingOver && before) {
    events_.Record(cluster, kube::EventType::kNormal, "FailoverStarted",
                   backend + "a shard has no master, and a replica may take over");
  } else if (after.state == State::kShardLost) {
    events_.Record(cluster, kube::EventType::kWarning, "ShardLost", backend + after.Remedy());
  } else if (after.state == State::kSilent && before) {
    events_.Record(cluster, kube::EventType::kWarning, "ServersSilent", backend + after.Remedy());
  }
}

}  // namespace holdfast::shards
