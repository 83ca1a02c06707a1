// Carries out what scale_decision.h decides. The StatefulSet itself is lowered by whoever makes the objects
// (operator/controllers/storagecluster), once it says that fewer servers are enough.
#include <algorithm>
#include <set>
#include <utility>

#include "base/log/log.h"
#include "operator/api/v1/annotations.h"
#include "operator/failover/pod_revision.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "operator/resources/redis_servers.h"
#include "operator/sentinel/reconciler.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;

const char* EventOf(ScaleAct act) {
  switch (act) {
    case ScaleAct::kHandOver:
      return "MasterHandsOver";
    case ScaleAct::kLetGo:
      return "ServersLetGo";
    case ScaleAct::kForget:
      return "SentinelReset";
    case ScaleAct::kDropNames:
      return "ScaleInCompleted";
    case ScaleAct::kNothing:
    case ScaleAct::kWait:
    case ScaleAct::kMark:
    case ScaleAct::kUnmark:
      break;
  }
  return nullptr;
}

bool AsksFor(const api::StorageCluster& cluster, const std::string& backend, std::int64_t servers) {
  return std::any_of(cluster.spec.backends.begin(), cluster.spec.backends.end(), [&](const api::BackendSpec& each) {
    return each.name == backend && each.redis() != nullptr && each.redis()->instances == servers;
  });
}

}  // namespace

bool SentinelReconciler::ScaleIsPending(const Look& look) const {
  const Watched& watched = look.watched;
  if ((look.intent && !look.intent->scaling.empty()) || watched.servers > watched.backend->redis()->instances) {
    return true;
  }
  const std::string set = resources::BackendName(watched.cluster.name, watched.backend->name);
  std::set<std::string> pods;
  for (std::int64_t i = 0; i < watched.backend->redis()->instances; ++i) pods.insert(resources::PodName(set, i));
  for (const Answer& answer : look.answers) {
    for (const Report::Replica& replica : answer.report.replicas) {
      if (replica.priority == kNeverMaster || !pods.contains(PodOf(replica.host))) return true;
    }
  }
  return false;
}

ScaleFacts SentinelReconciler::FactsOfScale(const Look& look, const Json& set, const Pods& pods,
                                            Deadline deadline) const {
  const Watched& watched = look.watched;
  const api::RedisBackend& redis = *watched.backend->redis();
  const resources::RedisServers present = resources::PresentServers(redis.instances, &set);
  ScaleFacts facts{.wanted = redis.instances,
                   .pods = present.pods,
                   .names = present.names,
                   .enough = resources::AreEnoughServers(redis.instances, set),
                   .servers = {},
                   .master = {},
                   .sentinels = redis.sentinel->sentinels,
                   .answers = {}};
  for (const Answer& answer : look.answers) facts.answers.push_back({PodOf(answer.sentinel.name), answer.report});
  const Servers servers = AskServers(watched, look.memory, deadline);
  const auto master = servers.find(look.view.master);
  const bool serves = look.view.state == State::kServing && master != servers.end() && master->second.master;
  if (serves) facts.master = resources::ServiceHost(look.view.master, watched.cluster.ns);
  const std::string name = resources::BackendName(watched.cluster.name, watched.backend->name);
  for (std::int64_t i = 0; i < std::max(watched.servers, present.names); ++i) {
    const std::string pod_name = resources::PodName(name, i);
    ScaleServer server{.host = resources::ServiceHost(pod_name, watched.cluster.ns)};
    const auto pod = pods.find(pod_name);
    server.pod = pod != pods.end();
    server.leaving = server.pod && kube::IsBeingDeleted(pod->second);
    const auto report = servers.find(pod_name);
    if (report != servers.end()) server.report = report->second;
    server.in_step =
        serves && server.report && !server.leaving &&
        (server.host == facts.master ||
         (IsReady(watched, pod_name) && IsInStep(*server.report, facts.master, master->second, options_.close_bytes)));
    facts.servers.push_back(std::move(server));
  }
  return facts;
}

Result<bool> SentinelReconciler::Scale(const Look& look, Deadline deadline) {
  const Watched& watched = look.watched;
  const bool begun = look.intent && !look.intent->scaling.empty();
  if (watched.halted || !ScaleIsPending(look)) return false;
  HOLDFAST_ASSIGN_OR_RETURN(const Pods pods, ReadPods(watched, deadline));
  const kube::ObjectKey key{watched.cluster.ns, resources::BackendName(watched.cluster.name, watched.backend->name)};
  auto set = client_.Get(kube::kinds::kStatefulSet, key, deadline);
  if (!set.ok() && set.error().code() == ErrorCode::kNotFound) return false;
  if (!set.ok()) return std::move(set).error().WithContext("reading the StatefulSet of the servers");
  if (kube::IsBeingDeleted(*set) || failover::WantedPods(*set) == 0) return false;

  const ScaleStep step = DecideScale(FactsOfScale(look, *set, pods, deadline));
  const bool done = step.act == ScaleAct::kNothing;
  if (done && !begun) return false;
  const auto tell_how_far = [&](failover::Intent* intent) {
    intent->backend = watched.backend->name;
    intent->scaling = step.message;
  };
  HOLDFAST_ASSIGN_OR_RETURN(Json cluster, Publish(look, tell_how_far, deadline));
  if (step.act == ScaleAct::kWait || done) return !done;
  if (cluster.is_null()) {
    HOLDFAST_ASSIGN_OR_RETURN(cluster, client_.Get(kube::kinds::kStorageCluster, watched.cluster, deadline));
  }
  // It may be paused since, be another by now, or ask for another number.
  const api::ParsedStorageCluster parsed = api::ParseStorageCluster(cluster);
  if (kube::UidOf(cluster) != watched.uid || api::IsPaused(cluster) || !parsed.cluster ||
      !AsksFor(*parsed.cluster, watched.backend->name, watched.backend->redis()->instances)) {
    return true;
  }
  const std::string backend = "backend " + watched.backend->name + ": ";
  const Status taken = TakeScaleStep(look, step, *set, pods, deadline);
  if (!taken.ok()) {
    log::Warn("a step of scaling in was not taken", {{"backend", watched.cluster.name + "/" + watched.backend->name},
                                                     {"step", step.message},
                                                     {"error", taken.error().message()}});
    return true;
  }
  if (const char* event = EventOf(step.act)) {
    events_.Record(cluster, kube::EventType::kNormal, event, backend + step.message);
  }
  return true;
}

Status SentinelReconciler::TakeScaleStep(const Look& look, const ScaleStep& step, const Json& set, const Pods& pods,
                                         Deadline deadline) {
  const std::string& ns = look.watched.cluster.ns;
  const Copies copies = copies_of_(ns);
  const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
  switch (step.act) {
    case ScaleAct::kMark:
    case ScaleAct::kUnmark: {
      const auto server = EndpointOf(copies.servers->Get({ns, step.target}), resources::kRedisPort, look.memory);
      if (!server) return Error(ErrorCode::kUnavailable, step.target + " has no address");
      return sentinels_.SetPriority(*server, step.act == ScaleAct::kMark ? kNeverMaster : kUsualPriority, patience);
    }
    case ScaleAct::kForget: {
      const auto sentinel = EndpointOf(copies.sentinels->Get({ns, step.target}), resources::kSentinelPort, look.memory);
      if (!sentinel) return Error(ErrorCode::kUnavailable, step.target + " has no address");
      return sentinels_.Reset(*sentinel, resources::kRedisMasterName, patience);
    }
    case ScaleAct::kHandOver: {
      HOLDFAST_ASSIGN_OR_RETURN(const bool deleted, failover::ReplacePod(client_, pods.at(step.target), deadline));
      if (!deleted) return Error(ErrorCode::kVersionConflict, "its pod has changed since");
      return {};
    }
    case ScaleAct::kLetGo:
    case ScaleAct::kDropNames: {
      const Json patch = resources::EnoughServersPatch(look.watched.backend->redis()->instances, set);
      const auto patched = client_.MergePatch(kube::kinds::kStatefulSet, kube::KeyOf(set), patch, deadline);
      return patched.ok() ? Status() : Status(patched.error());
    }
    case ScaleAct::kNothing:
    case ScaleAct::kWait:
      break;
  }
  return {};
}

}  // namespace holdfast::sentinel
