#include "operator/controllers/storagecluster/status.h"

#include <algorithm>

#include "operator/api/v1/backup_schedule.h"
#include "operator/controllers/storagecluster/backend_status.h"
#include "operator/controllers/storagecluster/ownership.h"
#include "operator/controllers/storagecluster/pause.h"
#include "operator/controllers/storagecluster/pod_problem.h"
#include "operator/controllers/storagecluster/secrets.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

constexpr int kWriteAttempts = 3;
constexpr std::size_t kMaximumMessage = 4096;
constexpr char kMigrationsApplied[] = "MigrationsApplied";

// One line about how far a StatefulSet or Deployment is, or nothing when it is all there.
std::optional<Problem> RolloutState(const char* kind, const Json* workload, std::int64_t replicas) {
  const std::string what = std::string("the ") + kind;
  if (workload == nullptr) return Problem{"RollingOut", what + " is not there yet"};
  if (Number(*workload, "/status/observedGeneration") < kube::GenerationOf(*workload)) {
    return Problem{"RollingOut", what + " controller has not seen the latest change yet"};
  }
  const std::int64_t updated = Number(*workload, "/status/updatedReplicas");
  const std::int64_t ready = Number(*workload, "/status/readyReplicas");
  if (Number(*workload, "/status/replicas") > replicas) {
    return Problem{"RollingOut", "pods beyond the " + std::to_string(replicas) + " asked for are still ending"};
  }
  if (updated < replicas || ready < replicas) {
    return Problem{"RollingOut", std::to_string(ready) + " of " + std::to_string(replicas) + " pods are ready, " +
                                     std::to_string(updated) + " run the latest configuration"};
  }
  return std::nullopt;
}

// What the service runs in, and how many pods it should have.
struct Service {
  const char* kind = "";
  const Json* workload = nullptr;
  std::int64_t replicas = 0;
};

// While the operator is paused what runs is judged, whatever the spec asks for by now.
Service ServiceOf(const api::StorageCluster& cluster, const Observed& observed, bool paused) {
  Service service;
  const bool keeps_data = resources::KeepsDataInPods(cluster.spec);
  service.kind = keeps_data ? "StatefulSet" : "Deployment";
  service.workload = observed.Find(keeps_data ? kube::kinds::kStatefulSet : kube::kinds::kDeployment, cluster.name);
  service.replicas = cluster.spec.service.replicas;
  if (cluster.spec.service.autoscaling) {
    // The autoscaler's number; its least one until it has decided.
    const std::int64_t decided = service.workload != nullptr ? Number(*service.workload, "/spec/replicas") : 0;
    service.replicas = std::max(decided, cluster.spec.service.autoscaling->min_replicas);
  }
  if (cluster.hibernated) service.replicas = 0;
  if (!paused) return service;
  // A spec that cannot be read does not tell in what it runs.
  if (service.workload == nullptr) {
    service.workload = observed.Find(keeps_data ? kube::kinds::kDeployment : kube::kinds::kStatefulSet, cluster.name);
  }
  if (service.workload != nullptr) service.replicas = Number(*service.workload, "/spec/replicas");
  return service;
}

// The first Redis Cluster of which slots are served by nobody, for good as far as the operator can tell.
std::optional<Problem> LostShard(const api::StorageCluster& cluster, const Json& status) {
  if (cluster.hibernated || !status.contains("redis")) return std::nullopt;
  for (const Json& each : status.at("redis")) {
    if (kube::StringAt(each, "/state") != "ShardLost") continue;
    return Problem{"ShardLost",
                   "backend " + kube::StringAt(each, "/backend") + ": " + kube::StringAt(each, "/message")};
  }
  return std::nullopt;
}

// The first backend that does not take writes; the service cannot be ready without it.
std::optional<Problem> BackendOutage(const api::StorageCluster& cluster, const Observed& observed) {
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!backend.has_servers() || cluster.hibernated) continue;
    const bool begun = !IsReplicated(backend) || IsInitialized(cluster, backend, observed);
    if (begun && PrimaryOf(backend, observed) != nullptr) continue;
    const Json* servers = ServersOf(cluster, backend.name, observed);
    const std::int64_t ready = servers == nullptr ? 0 : Number(*servers, "/status/readyReplicas");
    return Problem{"BackendNotReady", "backend " + backend.name + ": no primary takes writes, " +
                                          std::to_string(ready) + " of " + std::to_string(InstancesOf(backend)) +
                                          " instances are ready"};
  }
  return std::nullopt;
}

// What the controllers that replace servers, and let them go, say of how far they are.
std::string RolloutOf(const Json& status, const std::string& backend) {
  const auto list = status.find("failover");
  if (list == status.end() || !list->is_array()) return {};
  for (const Json& each : *list) {
    if (kube::StringAt(each, "/backend") != backend) continue;
    const std::string rollout = kube::StringAt(each, "/rollout");
    return rollout.empty() ? kube::StringAt(each, "/scaling") : rollout;
  }
  return {};
}

// The first backend whose servers are not all there, or not as they should be.
std::optional<Problem> BackendRollout(const api::StorageCluster& cluster, const Observed& observed,
                                      const Json& status) {
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    if (!backend.has_servers()) continue;
    const std::int64_t wanted = cluster.hibernated ? 0 : InstancesOf(backend);
    auto state = RolloutState("StatefulSet", ServersOf(cluster, backend.name, observed), wanted);
    if (const api::RedisSentinel* sentinel = SentinelOf(backend); sentinel != nullptr && !state) {
      state = RolloutState("StatefulSet of the sentinels", SentinelsOf(cluster, backend.name, observed),
                           cluster.hibernated ? 0 : sentinel->sentinels);
    }
    if (const std::string rollout = RolloutOf(status, backend.name); !rollout.empty() && wanted > 0) {
      state = Problem{"RollingOut", rollout};
    }
    if (state) return Problem{"RollingOut", "backend " + backend.name + ": " + state->message};
  }
  return std::nullopt;
}

bool NeedsPerson(const Migrations& migrations) {
  return std::any_of(migrations.backends.begin(), migrations.backends.end(), [](const BackendMigration& each) {
    return each.phase == MigrationPhase::kFailed || each.phase == MigrationPhase::kWaitingForApproval;
  });
}

struct Verdict {
  api::Condition ready{.type = "Ready"};
  api::Condition progressing{.type = "Progressing"};
  api::Condition degraded{.type = "Degraded"};
};

void Set(api::Condition* condition, api::ConditionStatus status, const Problem& why) {
  condition->status = status;
  condition->reason = why.reason;
  condition->message = why.message.substr(0, kMaximumMessage);
}

constexpr api::ConditionStatus kTrue = api::ConditionStatus::kTrue;
constexpr api::ConditionStatus kFalse = api::ConditionStatus::kFalse;

// `status`: what stands there now.
Verdict Judge(const Findings& findings, const Json& status) {
  Verdict verdict;
  const Problem healthy{"AsExpected", "nothing is wrong"};
  const Problem stuck{"Blocked", "waits for somebody to act; see Ready"};
  Set(&verdict.degraded, kFalse, healthy);

  if (findings.terminating) {
    Set(&verdict.ready, kFalse, {"Terminating", findings.terminating->message});
    Set(&verdict.progressing, kTrue, *findings.terminating);
    if (findings.refused) Set(&verdict.degraded, kTrue, *findings.refused);
    return verdict;
  }
  for (const std::optional<Problem>* needs_person : {&findings.invalid, &findings.blocked, &findings.refused}) {
    if (!needs_person->has_value()) continue;
    Set(&verdict.ready, kFalse, **needs_person);
    Set(&verdict.progressing, kFalse, stuck);
    Set(&verdict.degraded, kTrue, **needs_person);
    return verdict;
  }
  const api::StorageCluster& cluster = *findings.cluster;
  const Service service = ServiceOf(cluster, findings.observed, findings.paused.has_value());
  const std::int64_t replicas = service.replicas;
  const std::optional<Problem> lost = LostShard(cluster, status);
  const std::optional<Problem> outage = lost ? lost : BackendOutage(cluster, findings.observed);
  const std::optional<Problem> backends = BackendRollout(cluster, findings.observed, status);
  std::optional<Problem> underway = findings.waiting ? findings.waiting : outage;
  // What the service waits for says more than that it is not there yet.
  if (!underway && !cluster.hibernated && !findings.migrations.AllApplied()) {
    underway = findings.migrations.Summary({cluster.ns, cluster.name});
  }
  if (!underway) underway = RolloutState(service.kind, service.workload, replicas);
  if (!underway && findings.unfinished) underway = Problem{"RollingOut", "changes are being made"};
  if (underway) {
    Set(&verdict.ready, kFalse, *underway);
    const bool waits = !findings.waiting && (lost || (!outage && NeedsPerson(findings.migrations)));
    Set(&verdict.progressing, waits ? kFalse : kTrue, waits ? stuck : *underway);
  } else {
    const Problem settled{"Settled", "everything is as the spec asks for"};
    const std::optional<Problem>& goes_on = backends ? backends : findings.rotation;
    Set(&verdict.progressing, goes_on ? kTrue : kFalse, goes_on ? *goes_on : settled);
    if (cluster.hibernated) {
      Set(&verdict.ready, kFalse,
          {"Hibernated", std::string("nothing runs, the data is kept; take the annotation ") +
                             api::kHibernateAnnotation + " off to wake the cluster up"});
    } else if (replicas == 0) {
      Set(&verdict.ready, kFalse, {"ScaledToZero", "service.replicas is 0: nothing serves, the data is kept"});
    } else {
      Set(&verdict.ready, kTrue,
          {"Available", std::to_string(replicas) + " of " + std::to_string(replicas) +
                            (replicas == 1 ? " pod is" : " pods are") + " ready"});
    }
  }
  const bool all_there = verdict.ready.status == kTrue && !backends;
  if (lost) {
    Set(&verdict.degraded, kTrue, *lost);
  } else if (!findings.warnings.empty()) {
    Set(&verdict.degraded, kTrue, findings.warnings.front());
  } else if (findings.growth && findings.growth->needs_person) {
    Set(&verdict.degraded, kTrue, findings.growth->says);
  } else if (findings.migrations.Failed()) {
    Set(&verdict.degraded, kTrue, findings.migrations.Summary({cluster.ns, cluster.name}));
  } else if (auto unbound = UnboundClaim(findings.observed.claims); unbound && !all_there) {
    Set(&verdict.degraded, kTrue, *unbound);
  } else if (auto failing = PodProblem(findings.observed.pods); failing && !all_there) {
    Set(&verdict.degraded, kTrue, *failing);
  }
  return verdict;
}

std::string StoreNames(const api::StorageClusterSpec& spec) {
  std::string names = spec.default_store;
  for (const api::StoreSpec& store : spec.stores) {
    if (store.name != spec.default_store) names += "," + store.name;
  }
  return names;
}

// There only for a cluster that has schemas.
void SetMigrationsApplied(const Findings& findings, std::int64_t generation, Timestamp now,
                          std::vector<api::Condition>* conditions) {
  if (findings.migrations.backends.empty()) {
    // Nothing is known while the API server does not let us look.
    if (findings.blocked || findings.refused) return;
    std::erase_if(*conditions, [](const api::Condition& each) { return each.type == kMigrationsApplied; });
    return;
  }
  api::Condition condition{.type = kMigrationsApplied};
  Set(&condition, findings.migrations.AllApplied() ? kTrue : kFalse,
      findings.migrations.Summary({findings.cluster->ns, findings.cluster->name}));
  condition.observed_generation = generation;
  api::SetCondition(conditions, std::move(condition), now);
}

// There only for a cluster whose volume grows by itself.
void SetStorageHasRoom(const Findings& findings, std::int64_t generation, Timestamp now,
                       std::vector<api::Condition>* conditions) {
  if (GrowingVolumes(*findings.cluster).empty()) {
    std::erase_if(*conditions, [](const api::Condition& each) { return each.type == kStorageHasRoomCondition; });
  }
  if (!findings.growth) return;
  api::Condition condition{.type = kStorageHasRoomCondition};
  Set(&condition, findings.growth->status, findings.growth->says);
  condition.observed_generation = generation;
  api::SetCondition(conditions, std::move(condition), now);
}

// There only for a cluster with stores that were moved.
void SetStoresAsSpecified(const Json& cluster_object, const std::vector<api::StoreMove>& moves, std::int64_t generation,
                          Timestamp now, std::vector<api::Condition>* conditions) {
  if (moves.empty()) {
    std::erase_if(*conditions, [](const api::Condition& each) { return each.type == kStoresAsSpecifiedCondition; });
    return;
  }
  api::Condition condition{.type = kStoresAsSpecifiedCondition, .observed_generation = generation};
  Set(&condition, kTrue, {"AsSpecified", "every store is where the spec puts it"});
  for (const api::MisplacedStore& each : api::MisplacedStores(moves, cluster_object)) {
    const bool moves_on = api::FindMove(moves, each.store)->moving();
    const std::string where = "store " + each.store + " is in backend " + each.backend + ", not in " + each.specified;
    Set(&condition, kFalse,
        moves_on ? Problem{"StoreIsMoved", where + ", until its StorageMigration is over"}
                 : Problem{"StoreMoved", where + ": write " + each.backend + " for " + each.specified +
                                             " in its entry of spec.stores; that changes no pod"});
  }
  api::SetCondition(conditions, std::move(condition), now);
}

bool IsTheSame(const Json& a, const Json& b) {
  return kube::UidOf(a) == kube::UidOf(b) && kube::GenerationOf(a) == kube::GenerationOf(b) &&
         kube::IsBeingDeleted(a) == kube::IsBeingDeleted(b);
}

}  // namespace

Json ComputeStatus(const Json& cluster_object, const Findings& findings, Timestamp now) {
  const Json present = cluster_object.value("status", Json::object());
  const std::int64_t generation =
      findings.paused ? Number(present, "/observedGeneration") : kube::GenerationOf(cluster_object);
  api::StorageClusterStatus status;
  status.observed_generation = generation;
  status.conditions = api::ConditionsFromJson(present.value("conditions", Json::array()));
  Verdict verdict = Judge(findings, present);
  if (findings.paused) {
    Set(&verdict.progressing, kFalse, *findings.paused);
    api::Condition paused{.type = kPausedCondition, .observed_generation = kube::GenerationOf(cluster_object)};
    Set(&paused, kTrue, *findings.paused);
    api::SetCondition(&status.conditions, std::move(paused), now);
  } else {
    std::erase_if(status.conditions, [](const api::Condition& one) { return one.type == kPausedCondition; });
  }
  for (api::Condition condition : {verdict.ready, verdict.progressing, verdict.degraded}) {
    condition.observed_generation = generation;
    api::SetCondition(&status.conditions, std::move(condition), now);
  }
  if (findings.cluster && !findings.terminating) SetMigrationsApplied(findings, generation, now, &status.conditions);
  if (findings.cluster && !findings.terminating && !findings.paused) {
    SetStorageHasRoom(findings, generation, now, &status.conditions);
  }
  const std::vector<api::StoreMove> moves = api::WithoutSettled(api::MovesOf(cluster_object), cluster_object);
  if (!findings.terminating && !findings.paused) {
    SetStoresAsSpecified(cluster_object, moves, generation, now, &status.conditions);
  }
  status.selector = resources::PodSelectorText(kube::KeyOf(cluster_object).name);

  for (const kube::ResourceKind& kind : {kube::kinds::kStatefulSet, kube::kinds::kDeployment}) {
    const Json* workload = findings.observed.Find(kind, kube::KeyOf(cluster_object).name);
    if (workload == nullptr || ControllerUid(*workload) != kube::UidOf(cluster_object)) continue;
    status.replicas += Number(*workload, "/status/replicas");
    status.ready_replicas += Number(*workload, "/status/readyReplicas");
  }

  if (findings.cluster && !findings.terminating && !findings.paused) {
    const api::StorageCluster& cluster = *findings.cluster;
    status.endpoint = resources::Endpoint(cluster);
    if (resources::IssuesServiceCertificate(cluster.spec)) {
      status.ca_config_map = resources::AuthorityName(cluster.name);
    }
    status.stores = StoreNames(cluster.spec);
    status.backends = BackendStatuses(cluster, findings.observed);
    KeepMasters(cluster, present, &status.backends);
    Json document = api::StatusToJson(status);
    // Other controllers' own; this one only must not lose it.
    for (const char* known : {"backups", api::kBackupSchedulesStatus, "failover", "redis"}) {
      if (present.contains(known)) document[known] = present.at(known);
    }
    if (!moves.empty()) document["moves"] = api::MovesToJson(moves);
    return document;
  }
  // The spec tells nothing now, or is not carried out; what was made of the last good one is still what there is.
  Json document = api::StatusToJson(status);
  for (const char* known : {"endpoint", "caConfigMap", "stores", "backends", "backups", api::kBackupSchedulesStatus,
                            "failover", "redis", "moves"}) {
    if (present.contains(known)) document[known] = present.at(known);
  }
  return document;
}

Result<Json> WriteStatus(kube::Client& client, Json cluster_object, const Findings& findings, const Clock& clock,
                         Deadline deadline) {
  const Json judged = cluster_object;
  const kube::ObjectKey key = kube::KeyOf(cluster_object);
  for (int attempt = 1;; ++attempt) {
    Json status = ComputeStatus(cluster_object, findings, clock.Now());
    if (cluster_object.value("status", Json()) == status) return cluster_object;
    cluster_object["status"] = std::move(status);
    auto written = client.UpdateStatus(kube::kinds::kStorageCluster, cluster_object, deadline);
    if (written.ok()) return written;
    if (written.error().code() != ErrorCode::kVersionConflict || attempt == kWriteAttempts) {
      return std::move(written).error().WithContext("writing the status");
    }
    auto read = client.Get(kube::kinds::kStorageCluster, key, deadline);
    if (!read.ok()) return std::move(read).error().WithContext("reading again to write the status");
    cluster_object = std::move(read).value();
    if (!IsTheSame(cluster_object, judged)) return cluster_object;
  }
}

}  // namespace holdfast::storagecluster
