// Carries out what rollout_decision.h decides. The StatefulSet's own strategy is OnDelete, so nobody else replaces a
// server.
#include <algorithm>
#include <utility>

#include "operator/api/v1/annotations.h"
#include "operator/failover/pod_revision.h"
#include "operator/resources/names.h"
#include "operator/sentinel/reconciler.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

kube::ObjectKey SetOf(const kube::ObjectKey& cluster, const std::string& backend) {
  return {cluster.ns, resources::BackendName(cluster.name, backend)};
}

}  // namespace

bool SentinelReconciler::RolloutIsPending(const Watched& watched) const {
  const Copies copies = copies_of_(watched.cluster.ns);
  const kube::ObjectKey set = SetOf(watched.cluster, watched.backend->name);
  const kube::ObjectPtr servers = copies.sets->Get(set);
  const std::string revision = servers == nullptr ? std::string() : failover::RevisionOf(*servers);
  if (revision.empty()) return false;
  for (std::int64_t i = 0; i < watched.backend->redis()->instances; ++i) {
    const kube::ObjectPtr pod = copies.servers->Get({set.ns, resources::PodName(set.name, i)});
    if (pod != nullptr && failover::IsOutdated(*pod, revision)) return true;
  }
  return false;
}

RolloutFacts SentinelReconciler::FactsOfRollout(const Look& look, const Pods& pods, const std::string& revision,
                                                Deadline deadline) const {
  const Watched& watched = look.watched;
  RolloutFacts facts;
  if (look.memory.rollout_wait) {
    facts.waited = duration_cast<milliseconds>(clock_.Monotonic() - look.memory.rollout_wait->second);
  }
  const Servers servers = AskServers(watched, look.memory, deadline);
  const auto master = servers.find(look.view.master);
  // Its own word and that of the sentinels.
  const bool serves = look.view.state == State::kServing && master != servers.end() && master->second.master;
  if (serves) facts.master = look.view.master;
  const std::string host = resources::ServiceHost(look.view.master, watched.cluster.ns);
  const std::string set = SetOf(watched.cluster, watched.backend->name).name;
  for (std::int64_t i = 0; i < watched.backend->redis()->instances; ++i) {
    RolloutServer server;
    server.pod = resources::PodName(set, i);
    const auto pod = pods.find(server.pod);
    if (pod != pods.end()) {
      server.there = !kube::IsBeingDeleted(pod->second);
      server.updated = !failover::IsOutdated(pod->second, revision);
      server.running = failover::IsRunning(pod->second);
    }
    server.ready = IsReady(watched, server.pod);
    const auto report = servers.find(server.pod);
    server.answers = report != servers.end();
    server.in_step = serves && server.answers &&
                     (server.pod == facts.master ||
                      (server.ready && IsInStep(report->second, host, master->second, options_.close_bytes)));
    facts.servers.push_back(std::move(server));
  }
  return facts;
}

Result<bool> SentinelReconciler::Roll(const Look& look, Deadline deadline) {
  const Watched& watched = look.watched;
  const bool begun = look.intent && !look.intent->rollout.empty();
  if (watched.halted || (!begun && !RolloutIsPending(watched))) return false;
  // The StatefulSet behind the pods: a pod carries the same revision for life, so one that is outdated by this is so
  // for certain.
  HOLDFAST_ASSIGN_OR_RETURN(const Pods pods, ReadPods(watched, deadline));
  auto set = client_.Get(kube::kinds::kStatefulSet, SetOf(watched.cluster, watched.backend->name), deadline);
  if (!set.ok() && set.error().code() == ErrorCode::kNotFound) return false;
  if (!set.ok()) return std::move(set).error().WithContext("reading the StatefulSet of the servers");
  const std::string revision = failover::RevisionOf(*set);
  if (kube::IsBeingDeleted(*set) || failover::WantedPods(*set) == 0) return false;
  if (revision.empty()) return true;

  const RolloutStep step = DecideRollout(FactsOfRollout(look, pods, revision, deadline), options_.rollout_patience);
  const bool waits = step.act == RolloutAct::kWait;
  auto& wait = look.memory.rollout_wait;
  if (!waits) wait.reset();
  if (waits && (!wait || wait->first != step.target)) wait.emplace(step.target, clock_.Monotonic());
  const bool done = step.act == RolloutAct::kNothing;
  if (done && !begun) return false;
  bool news = false;  // of the object as it is: the copy may be late
  const auto tell_how_far = [&](failover::Intent* intent) {
    news = intent->rollout != step.message;
    intent->backend = watched.backend->name;
    intent->rollout = step.message;
  };
  HOLDFAST_ASSIGN_OR_RETURN(Json cluster, Publish(look, tell_how_far, deadline));
  if (waits) return true;
  if (cluster.is_null()) {
    HOLDFAST_ASSIGN_OR_RETURN(cluster, client_.Get(kube::kinds::kStorageCluster, watched.cluster, deadline));
  }
  // It may be paused since, or be another by now.
  if (kube::UidOf(cluster) != watched.uid || api::IsPaused(cluster)) return true;
  const std::string backend = "backend " + watched.backend->name + ": ";
  if (done) {
    if (!news) return false;
    events_.Record(cluster, kube::EventType::kNormal, "RolloutCompleted",
                   backend + "every server is at the new revision");
    return false;
  }
  HOLDFAST_ASSIGN_OR_RETURN(const bool replaced, failover::ReplacePod(client_, pods.at(step.target), deadline));
  if (replaced) {
    events_.Record(cluster, kube::EventType::kNormal,
                   step.act == RolloutAct::kHandOver ? "MasterHandsOver" : "MemberReplaced", backend + step.message);
  }
  return true;
}

}  // namespace holdfast::sentinel
