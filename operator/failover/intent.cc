#include "operator/failover/intent.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "operator/api/v1/condition.h"
#include "operator/kube/status_update.h"

namespace holdfast::failover {
namespace {

using kube::Json;

constexpr int kWriteAttempts = 4;
constexpr char kList[] = "failover";

// The fields that are texts, each with its name in the status.
constexpr std::array kTexts = {std::pair("backend", &Intent::backend),
                               std::pair("primary", &Intent::primary),
                               std::pair("readyReason", &Intent::ready_reason),
                               std::pair("kind", &Intent::kind),
                               std::pair("step", &Intent::step),
                               std::pair("from", &Intent::from),
                               std::pair("fromUid", &Intent::from_uid),
                               std::pair("to", &Intent::to),
                               std::pair("reason", &Intent::reason),
                               std::pair("message", &Intent::message),
                               std::pair("startedAt", &Intent::started_at),
                               std::pair("finishedAt", &Intent::finished_at),
                               std::pair("rollout", &Intent::rollout),
                               std::pair("scaling", &Intent::scaling)};

Json ToJson(const Intent& intent) {
  Json json = {{"ready", intent.ready}, {"epoch", intent.epoch}};
  for (const auto& [name, field] : kTexts) {
    if (const std::string& text = intent.*field; !text.empty()) json[name] = text;
  }
  return json;
}

Json ListOf(const Json& status) {
  const auto found = status.find(kList);
  return found != status.end() && found->is_array() ? *found : Json::array();
}

std::string WhyNotReady(const std::string& reason, const Json& intent) {
  if (reason == "NoSynchronousStandby") return "no standby holds every acknowledged write now";
  if (reason == "NoReplicaInStep") return "no replica is in step with the master";
  if (reason == "NoMaster") return "no master takes writes";
  if (reason == "FailingOver") return "the sentinels replace the master";
  if (reason == "SentinelsSilent") return "most sentinels do not answer";
  if (reason == "WritePathStuck") return "its primary answers, but the state service's writes do not end";
  if (reason == "Asynchronous")
    return "replication is asynchronous, so a dead primary may take acknowledged writes along";
  return kube::StringAt(intent, "/message");
}

// Of all backends; true only when each of them could lose its primary now.
api::Condition ReadyCondition(const Json& list, std::int64_t generation) {
  api::Condition condition{.type = "FailoverReady"};
  condition.observed_generation = generation;
  condition.status = api::ConditionStatus::kTrue;
  condition.reason = "StandbyReady";
  condition.message =
      "every PostgreSQL backend has a standby that holds every acknowledged write, and every Redis backend with "
      "sentinels a replica in step";
  for (const Json& each : list) {
    if (!each.is_object() || each.value("ready", Json()) == true) continue;
    condition.status = api::ConditionStatus::kFalse;
    condition.reason = kube::StringAt(each, "/readyReason");
    if (condition.reason.empty()) condition.reason = "Unknown";
    condition.message = "backend " + kube::StringAt(each, "/backend") + ": " + WhyNotReady(condition.reason, each);
    break;
  }
  return condition;
}

Json WithIntent(const Json& cluster_object, const Intent& intent, Timestamp now) {
  Json status = cluster_object.value("status", Json::object());
  Json list = ListOf(status);
  const auto mine = std::find_if(list.begin(), list.end(),
                                 [&](const Json& each) { return kube::StringAt(each, "/backend") == intent.backend; });
  if (mine != list.end()) {
    *mine = ToJson(intent);
  } else {
    list.push_back(ToJson(intent));
  }
  std::vector<api::Condition> conditions = api::ConditionsFromJson(status.value("conditions", Json::array()));
  api::SetCondition(&conditions, ReadyCondition(list, kube::GenerationOf(cluster_object)), now);
  status["conditions"] = api::ConditionsToJson(conditions);
  status[kList] = std::move(list);
  return status;
}

}  // namespace

std::optional<Intent> IntentOf(const Json& cluster_object, std::string_view backend) {
  for (const Json& each : ListOf(cluster_object.value("status", Json::object()))) {
    if (kube::StringAt(each, "/backend") != backend) continue;
    Intent intent;
    for (const auto& [name, field] : kTexts) intent.*field = kube::StringAt(each, std::string("/") + name);
    intent.ready = each.value("ready", Json()) == true;
    const Json epoch = each.value("epoch", Json());
    if (epoch.is_number_integer()) intent.epoch = epoch.get<std::int64_t>();
    return intent;
  }
  return std::nullopt;
}

Result<Json> WriteIntent(kube::Client& client, Json cluster_object, const Intent& intent, const Clock& clock,
                         Deadline deadline) {
  const auto status_of = [&](const Json& present) { return WithIntent(present, intent, clock.Now()); };
  return kube::UpdateStatus(client, kube::kinds::kStorageCluster, std::move(cluster_object),
                            {"status.failover", kWriteAttempts, status_of}, deadline);
}

}  // namespace holdfast::failover
