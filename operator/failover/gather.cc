// What FailoverReconciler reads before it decides.
#include <algorithm>
#include <future>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/annotations.h"
#include "operator/failover/reconciler.h"

namespace holdfast::failover {
namespace {

using kube::Json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::string PodSelector(const Scope& scope) {
  return "storage.holdfast.dev/role=postgres,storage.holdfast.dev/cluster=" + scope.cluster +
         ",storage.holdfast.dev/backend=" + scope.backend;
}

// An object that is not there is null; that is an answer as well.
Result<Json> GetIfThere(kube::Client& client, const kube::ResourceKind& kind, const kube::ObjectKey& key,
                        Deadline deadline) {
  auto object = client.Get(kind, key, deadline);
  if (!object.ok() && object.error().code() == ErrorCode::kNotFound) return Json();
  return object;
}

// The lock was renewed last before this pod was there: whoever holds it is an earlier one of the same name. Two clocks
// are compared, so this may only ever take a proof away.
bool LockIsOlderThan(const Json& leader_map, const Json& pod) {
  const auto renewed = ParseTimestamp(kube::StringAt(leader_map, "/metadata/annotations/renewTime"));
  const auto made = ParseTimestamp(kube::StringAt(pod, "/metadata/creationTimestamp"));
  return renewed.ok() && made.ok() && *renewed < *made;
}

}  // namespace

Result<FailoverReconciler::View> FailoverReconciler::Gather(const Scope& scope, bool routine, Memory* memory,
                                                            Deadline deadline) const {
  View view;
  view.scope = scope;
  // First, since everything read behind it is true of a moment after it (facts.h).
  HOLDFAST_ASSIGN_OR_RETURN(view.leader_map, GetIfThere(client_, kube::kinds::kConfigMap, scope.leader(), deadline));
  HOLDFAST_ASSIGN_OR_RETURN(view.cluster,
                            GetIfThere(client_, kube::kinds::kStorageCluster, {scope.ns, scope.cluster}, deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const Json sync, GetIfThere(client_, kube::kinds::kConfigMap, scope.sync(), deadline));
  HOLDFAST_ASSIGN_OR_RETURN(const Json config, GetIfThere(client_, kube::kinds::kConfigMap, scope.config(), deadline));
  kube::ListOptions pods_of;
  pods_of.label_selector = PodSelector(scope);
  HOLDFAST_ASSIGN_OR_RETURN(kube::ObjectList pods, client_.List(kube::kinds::kPod, scope.ns, pods_of, deadline));
  for (Json& pod : pods.items) {
    std::string name = kube::KeyOf(pod).name;
    view.pods.emplace(std::move(name), std::move(pod));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const Json secret, GetIfThere(client_, kube::kinds::kSecret, scope.tls(), deadline));
  view.tls = ParseTls(secret);
  memory->tls = view.tls;
  view.sync = ParseSync(sync);
  view.config = ParseConfig(config);
  if (!view.cluster.is_null()) view.intent = IntentOf(view.cluster, scope.backend);

  Facts& facts = view.facts;
  facts.initialized = view.config.initialized;
  facts.paused = view.config.paused;
  facts.synchronous = view.config.synchronous;
  facts.loop_wait = view.config.loop_wait;
  facts.holder = HolderOf(view.leader_map);
  facts.sync_leader = view.sync.leader;
  facts.sync_set = view.sync.standbys;
  facts.acks_required = facts.sync_set.size();
  AskMembers(&view, deadline);
  JudgeHolder(&view, memory);
  if (routine) facts.write_path = write_path_.Probe(scope, Deadline::After(options_.probe_timeout));
  return view;
}

PatroniEndpoint FailoverReconciler::EndpointOf(const Scope& scope, const Json& pod,
                                               std::shared_ptr<const PatroniTls> tls) {
  return {kube::StringAt(pod, "/status/podIP"), std::move(tls), scope.HostOf(kube::KeyOf(pod).name)};
}

// All at once: one that does not answer must not keep the others' words until they are old.
void FailoverReconciler::AskMembers(View* view, Deadline deadline) const {
  const Deadline patience = Deadline::After(options_.probe_timeout).Sooner(deadline);
  std::vector<std::pair<Member, std::future<Result<MemberReport>>>> asked;
  for (const auto& [name, pod] : view->pods) {
    Member member{name, IsTaggedNoFailover(pod), std::nullopt};
    std::future<Result<MemberReport>> answer;
    if (!kube::StringAt(pod, "/status/podIP").empty() && IsRunning(pod)) {
      answer = std::async(std::launch::async, [this, endpoint = EndpointOf(view->scope, pod, view->tls), patience] {
        return patroni_.Report(endpoint, patience);
      });
    }
    asked.emplace_back(std::move(member), std::move(answer));
  }
  for (auto& [member, answer] : asked) {
    if (answer.valid()) {
      auto report = answer.get();
      if (report.ok()) member.report = std::move(report).value();
    }
    view->facts.members.push_back(std::move(member));
  }
}

void FailoverReconciler::JudgeHolder(View* view, Memory* memory) const {
  Facts& facts = view->facts;
  const MonotonicTime now = clock_.Monotonic();
  if (const std::string version = kube::ResourceVersionOf(view->leader_map); version != memory->lock_version) {
    // Of the first look nothing follows: nobody knows how old that version was.
    facts.lock_unchanged = memory->lock_version.empty() ? std::nullopt : std::optional(milliseconds{0});
    memory->lock_version = version;
    memory->lock_seen = now;
  } else {
    facts.lock_unchanged = duration_cast<milliseconds>(now - memory->lock_seen);
  }

  bool holder_serves = false;
  bool rogue = false;
  for (const Member& member : facts.members) {
    if (!member.report || !member.report->Serves()) continue;
    (member.name == facts.holder ? holder_serves : rogue) = true;
  }
  if (!rogue) memory->rogue_since.reset();
  if (rogue && !memory->rogue_since) memory->rogue_since = now;
  if (memory->rogue_since) facts.rogue = duration_cast<milliseconds>(now - *memory->rogue_since);
  if (facts.holder.empty() || holder_serves) {
    memory->silent_since.reset();
    return;
  }
  if (!memory->silent_since) memory->silent_since = now;
  facts.silent = duration_cast<milliseconds>(now - *memory->silent_since);

  const auto pod = view->pods.find(facts.holder);
  const bool there = pod != view->pods.end();
  facts.holder_terminating = there && kube::IsBeingDeleted(pod->second);
  // What Kubernetes' node controller writes there.
  facts.node_gone = there && kube::StringAt(pod->second, "/status/reason") == "NodeLost";
  if (memory->served_by != facts.holder || memory->served_container.empty()) {
    // Nobody remembers in which container it took the lock (a new operator): in the one it has now, unless the lock is
    // older. From here on that one is watched, so that a successor of it is not taken for it.
    if (!there || LockIsOlderThan(view->leader_map, pod->second)) {
      facts.holder_end = HolderEnd::kVanished;
      return;
    }
    memory->served_by = facts.holder;
    memory->served_container = ContainerIdOf(pod->second);
  }
  const std::string& container = memory->served_container;
  const bool same = there && ContainerIdOf(pod->second) == container;
  const bool ended = history_.ContainerEnded(container) || (same && HasEnded(pod->second));
  facts.holder_end = ended ? HolderEnd::kEnded : same ? HolderEnd::kUnknown : HolderEnd::kVanished;
  if (facts.holder_end != HolderEnd::kUnknown || facts.silent < options_.patience.silent) return;
  facts.write_path = write_path_.Probe(view->scope, Deadline::After(options_.probe_timeout));
}

bool FailoverReconciler::IsHalted(const View& view) {
  return view.cluster.is_null() || kube::IsBeingDeleted(view.cluster) || api::IsPaused(view.cluster);
}

bool FailoverReconciler::HandsOff(const View& view) {
  return IsHalted(view) || kube::StringAt(view.cluster, "/spec/failover/mode") == "Manual";
}

}  // namespace holdfast::failover
