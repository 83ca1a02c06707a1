#include "operator/controllers/storagecluster/status.h"

#include <algorithm>
#include <array>

#include "operator/controllers/storagecluster/ownership.h"
#include "operator/controllers/storagecluster/pause.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

constexpr int kWriteAttempts = 3;
constexpr std::size_t kMaximumMessage = 4096;

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

// One line about how far the StatefulSet is, or nothing when it is all there.
std::optional<Problem> RolloutState(const Json* stateful_set, std::int64_t replicas) {
  if (stateful_set == nullptr) return Problem{"RollingOut", "the StatefulSet is not there yet"};
  if (Number(*stateful_set, "/status/observedGeneration") < kube::GenerationOf(*stateful_set)) {
    return Problem{"RollingOut", "the StatefulSet controller has not seen the latest change yet"};
  }
  const std::int64_t updated = Number(*stateful_set, "/status/updatedReplicas");
  const std::int64_t ready = Number(*stateful_set, "/status/readyReplicas");
  if (Number(*stateful_set, "/status/replicas") > replicas) {
    return Problem{"RollingOut", "pods beyond the " + std::to_string(replicas) + " asked for are still ending"};
  }
  if (updated < replicas || ready < replicas) {
    return Problem{"RollingOut", std::to_string(ready) + " of " + std::to_string(replicas) + " pods are ready, " +
                                     std::to_string(updated) + " run the latest configuration"};
  }
  return std::nullopt;
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

Verdict Judge(const Findings& findings) {
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
  const Json* stateful_set = findings.observed.Find(kube::kinds::kStatefulSet, findings.cluster->name);
  const bool judge_what_runs = findings.paused && stateful_set != nullptr;
  const std::int64_t replicas =
      judge_what_runs ? Number(*stateful_set, "/spec/replicas") : findings.cluster->spec.service.replicas;
  std::optional<Problem> underway = findings.waiting ? findings.waiting : RolloutState(stateful_set, replicas);
  if (!underway && findings.unfinished) underway = Problem{"RollingOut", "changes are being made"};
  if (underway) {
    Set(&verdict.ready, kFalse, *underway);
    Set(&verdict.progressing, kTrue, *underway);
  } else {
    const Problem settled{"Settled", "everything is as the spec asks for"};
    Set(&verdict.progressing, kFalse, settled);
    if (replicas == 0) {
      Set(&verdict.ready, kFalse, {"ScaledToZero", "service.replicas is 0: nothing serves, the data is kept"});
    } else {
      Set(&verdict.ready, kTrue,
          {"Available", std::to_string(replicas) + " of " + std::to_string(replicas) +
                            (replicas == 1 ? " pod is" : " pods are") + " ready"});
    }
  }
  if (!findings.warnings.empty()) {
    Set(&verdict.degraded, kTrue, findings.warnings.front());
  } else if (auto failing = PodProblem(findings.observed.pods); failing && verdict.ready.status != kTrue) {
    Set(&verdict.degraded, kTrue, *failing);
  }
  return verdict;
}

std::vector<api::BackendStatus> BackendStatuses(const api::StorageCluster& cluster, const Observed& observed) {
  const std::string claim_name = resources::ClaimName(cluster.name, 0);
  const auto claim = std::find_if(observed.claims.begin(), observed.claims.end(),
                                  [&](const Json& candidate) { return kube::KeyOf(candidate).name == claim_name; });
  std::vector<api::BackendStatus> statuses;
  for (const api::BackendSpec& backend : cluster.spec.backends) {
    api::BackendStatus status{
        .name = backend.name, .type = "memory", .claim_name = {}, .requested = {}, .capacity = {}};
    if (backend.embedded() != nullptr) {
      status.type = "embedded";
      if (claim != observed.claims.end()) {
        status.claim_name = claim_name;
        status.requested = kube::StringAt(*claim, "/spec/resources/requests/storage");
        status.capacity = kube::StringAt(*claim, "/status/capacity/storage");
      }
    }
    statuses.push_back(std::move(status));
  }
  return statuses;
}

std::string StoreNames(const api::StorageClusterSpec& spec) {
  std::string names = spec.default_store;
  for (const api::StoreSpec& store : spec.stores) {
    if (store.name != spec.default_store) names += "," + store.name;
  }
  return names;
}

bool IsTheSame(const Json& a, const Json& b) {
  return kube::UidOf(a) == kube::UidOf(b) && kube::GenerationOf(a) == kube::GenerationOf(b) &&
         kube::IsBeingDeleted(a) == kube::IsBeingDeleted(b);
}

std::string Trouble(const Json& status) {
  static constexpr std::array<std::string_view, 8> kLasting = {
      "CrashLoopBackOff", "ImagePullBackOff",           "ErrImagePull",         "ErrImageNeverPull",
      "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"};
  const std::string reason = kube::StringAt(status, "/state/waiting/reason");
  if (std::find(kLasting.begin(), kLasting.end(), reason) == kLasting.end()) return {};
  const std::string message = kube::StringAt(status, "/state/waiting/message");
  const std::string exit = kube::StringAt(status, "/lastState/terminated/reason");
  return reason + (message.empty() ? "" : ": " + message) + (exit.empty() ? "" : " (ended before with " + exit + ")");
}

}  // namespace

std::optional<Problem> PodProblem(const std::vector<Json>& pods) {
  static const Json::json_pointer statuses("/status/containerStatuses");
  static const Json::json_pointer conditions("/status/conditions");
  for (const Json& pod : pods) {
    const std::string name = "Pod " + kube::KeyOf(pod).ToString();
    if (pod.contains(conditions) && pod.at(conditions).is_array()) {
      for (const Json& condition : pod.at(conditions)) {
        if (kube::StringAt(condition, "/reason") != "Unschedulable") continue;
        return Problem{"PodFailing", name + " finds no node: " + kube::StringAt(condition, "/message")};
      }
    }
    if (!pod.contains(statuses) || !pod.at(statuses).is_array()) continue;
    for (const Json& status : pod.at(statuses)) {
      const std::string trouble = Trouble(status);
      if (trouble.empty()) continue;
      return Problem{"PodFailing", name + ", container " + kube::StringAt(status, "/name") + ": " + trouble};
    }
  }
  return std::nullopt;
}

Json ComputeStatus(const Json& cluster_object, const Findings& findings, Timestamp now) {
  const Json present = cluster_object.value("status", Json::object());
  const std::int64_t generation =
      findings.paused ? Number(present, "/observedGeneration") : kube::GenerationOf(cluster_object);
  api::StorageClusterStatus status;
  status.observed_generation = generation;
  status.conditions = api::ConditionsFromJson(present.value("conditions", Json::array()));
  Verdict verdict = Judge(findings);
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
  status.selector = resources::PodSelectorText(kube::KeyOf(cluster_object).name);

  const Json* stateful_set = findings.observed.Find(kube::kinds::kStatefulSet, kube::KeyOf(cluster_object).name);
  if (stateful_set != nullptr && ControllerUid(*stateful_set) == kube::UidOf(cluster_object)) {
    status.replicas = Number(*stateful_set, "/status/replicas");
    status.ready_replicas = Number(*stateful_set, "/status/readyReplicas");
  }

  if (findings.cluster && !findings.terminating && !findings.paused) {
    const api::StorageCluster& cluster = *findings.cluster;
    status.endpoint = resources::Endpoint(cluster);
    status.stores = StoreNames(cluster.spec);
    status.backends = BackendStatuses(cluster, findings.observed);
    Json document = api::StatusToJson(status);
    // The failover controller's own; this one only must not lose it.
    if (present.contains("failover")) document["failover"] = present.at("failover");
    return document;
  }
  // The spec tells nothing now, or is not carried out; what was made of the last good one is still what there is.
  Json document = api::StatusToJson(status);
  for (const char* known : {"endpoint", "stores", "backends", "failover"}) {
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
