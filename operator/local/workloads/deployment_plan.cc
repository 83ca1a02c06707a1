#include "operator/local/workloads/deployment_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/time/duration.h"
#include "operator/local/workloads/pod_facts.h"

namespace holdfast::local {
namespace {

constexpr const char* kHashLabel = "pod-template-hash";
constexpr const char* kRevision = "deployment.kubernetes.io/revision";

// A number, or a share of `total`.
std::int64_t Resolve(const Json* value, std::int64_t total, bool round_up) {
  if (value == nullptr) return 0;
  if (value->is_number()) return value->get<std::int64_t>();
  std::string text = value->is_string() ? value->get<std::string>() : "";
  std::int64_t percent = 0;
  std::from_chars(text.data(), text.data() + text.size(), percent);
  return (percent * total + (round_up ? 99 : 0)) / 100;
}

std::int64_t Replicas(const Json& set) {
  return IntegerAt(set, {"spec", "replicas"});
}

std::int64_t RevisionOf(const Json& set) {
  std::string text = TextAt(set, {"metadata", "annotations", kRevision});
  std::int64_t revision = 0;
  std::from_chars(text.data(), text.data() + text.size(), revision);
  return revision;
}

class Planner {
 public:
  Planner(const Json& deployment, const std::vector<Json>& sets, const std::vector<Json>& pods, Timestamp now)
      : deployment_(deployment),
        pods_(pods),
        now_(now),
        hash_(TemplateHash(deployment)),
        wanted_(IntegerAt(deployment, {"spec", "replicas"}, 1)) {
    for (const Json& set : sets) {
      all_.push_back(&set);
      if (TextAt(set, {"metadata", "labels", kHashLabel}) == hash_) {
        new_ = &set;
      } else {
        old_.push_back(&set);
      }
    }
    std::sort(old_.begin(), old_.end(), [](const Json* a, const Json* b) { return RevisionOf(*a) < RevisionOf(*b); });
    if (TextAt(deployment, {"spec", "strategy", "type"}) == "Recreate") return;
    const Json& rolling = ObjectAt(deployment, {"spec", "strategy", "rollingUpdate"});
    max_surge_ = Resolve(FindField(rolling, {"maxSurge"}), wanted_, true);
    max_unavailable_ = std::min(Resolve(FindField(rolling, {"maxUnavailable"}), wanted_, false), wanted_);
    // Neither more nor fewer would be no step at all.
    if (max_surge_ == 0 && max_unavailable_ == 0) max_unavailable_ = 1;
  }

  DeploymentPlan Plan() {
    bool paused = BoolAt(deployment_, {"spec", "paused"});
    if (!IsTerminating(deployment_)) {
      if (paused) {
        if (new_ != nullptr && Replicas(*new_) != wanted_ && old_.empty()) Scale(*new_, wanted_);
      } else if (TextAt(deployment_, {"spec", "strategy", "type"}) == "Recreate") {
        Recreate();
      } else {
        Roll();
      }
      CleanUp();
    }
    plan_.status = Status();
    return std::move(plan_);
  }

 private:
  std::int64_t Total() const {
    std::int64_t total = 0;
    for (const Json* each : all_) total += Replicas(*each);
    return total;
  }
  std::int64_t Sum(const std::vector<const Json*>& sets, const char* field) const {
    std::int64_t sum = 0;
    for (const Json* each : sets) sum += IntegerAt(*each, {"status", field});
    return sum;
  }

  void Scale(const Json& set, std::int64_t replicas) {
    if (Replicas(set) != replicas) plan_.to_scale.emplace_back(NameOf(set), replicas);
  }

  void Recreate() {
    for (const Json* each : old_) Scale(*each, 0);
    bool old_pods = std::any_of(pods_.begin(), pods_.end(), [&](const Json& pod) {
      return TextAt(pod, {"metadata", "labels", kHashLabel}) != hash_ && !HasEndedPod(pod);
    });
    if (old_pods) return;
    if (new_ == nullptr) {
      CreateNew(wanted_);
    } else {
      Scale(*new_, wanted_);
    }
  }

  void Roll() {
    std::int64_t room = std::max<std::int64_t>(0, wanted_ + max_surge_ - Total());
    if (new_ == nullptr) return CreateNew(std::min(room, wanted_));
    std::int64_t current = Replicas(*new_);
    if (current > wanted_) return Scale(*new_, wanted_);
    if (current < wanted_ && room > 0) return Scale(*new_, current + std::min(room, wanted_ - current));
    ScaleOldDown();
  }

  void ScaleOldDown() {
    std::int64_t min_available = wanted_ - max_unavailable_;
    std::int64_t new_unavailable = Replicas(*new_) - IntegerAt(*new_, {"status", "availableReplicas"});
    std::int64_t may_go = Total() - min_available - std::max<std::int64_t>(0, new_unavailable);
    // Pods that do not serve anyway first, then as many as the others allow.
    std::int64_t serving_may_go = Sum(all_, "availableReplicas") - min_available;
    for (const Json* each : old_) {
      std::int64_t replicas = Replicas(*each);
      std::int64_t available = std::min(replicas, IntegerAt(*each, {"status", "availableReplicas"}));
      std::int64_t idle = std::clamp<std::int64_t>(may_go, 0, replicas - available);
      std::int64_t serving = std::clamp<std::int64_t>(std::min(may_go - idle, serving_may_go), 0, available);
      may_go -= idle + serving;
      serving_may_go -= serving;
      Scale(*each, replicas - idle - serving);
    }
  }

  void CreateNew(std::int64_t replicas) {
    std::int64_t revision = 0;
    for (const Json* each : all_) revision = std::max(revision, RevisionOf(*each));
    Json set = {{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}};
    Json spec = {{"replicas", replicas},
                 {"selector", ObjectAt(deployment_, {"spec", "selector"})},
                 {"template", ObjectAt(deployment_, {"spec", "template"})}};
    EnsureObject(spec, {"selector", "matchLabels"})[kHashLabel] = hash_;
    EnsureObject(spec, {"template", "metadata", "labels"})[kHashLabel] = hash_;
    if (const Json* seconds = FindField(deployment_, {"spec", "minReadySeconds"})) spec["minReadySeconds"] = *seconds;
    set["metadata"] = {{"name", fmt::format("{}-{}", NameOf(deployment_), hash_)},
                       {"namespace", NamespaceOf(deployment_)},
                       {"labels", spec["template"]["metadata"]["labels"]},
                       {"annotations", {{kRevision, std::to_string(revision + 1)}}},
                       {"ownerReferences", Json::array({ControllerReference("apps/v1", "Deployment", deployment_)})}};
    set["spec"] = std::move(spec);
    plan_.new_set = std::move(set);
  }

  void CleanUp() {
    std::int64_t limit = IntegerAt(deployment_, {"spec", "revisionHistoryLimit"}, 10);
    std::int64_t excess = static_cast<std::int64_t>(old_.size()) - limit;
    for (const Json* each : old_) {
      if (excess-- <= 0) return;
      bool empty = Replicas(*each) == 0 && IntegerAt(*each, {"status", "replicas"}) == 0;
      if (empty && !IsTerminating(*each)) plan_.sets_to_delete.push_back(NameOf(*each));
    }
  }

  Json Status() {
    std::vector<const Json*> newest;
    if (new_ != nullptr) newest.push_back(new_);
    std::int64_t available = Sum(all_, "availableReplicas");
    Json status = {{"observedGeneration", IntegerAt(deployment_, {"metadata", "generation"})},
                   {"replicas", Sum(all_, "replicas")},
                   {"updatedReplicas", Sum(newest, "replicas")},
                   {"readyReplicas", Sum(all_, "readyReplicas")},
                   {"availableReplicas", available},
                   {"unavailableReplicas", std::max<std::int64_t>(0, Total() - available)}};
    bool enough = available >= wanted_ - max_unavailable_;
    status["conditions"] = Json::array(
        {Condition("Available", enough, enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                   enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
                   false),
         Progressing(status)});
    return status;
  }

  const Json* Before(const char* type) const {
    for (const Json& each : ArrayAt(deployment_, {"status", "conditions"})) {
      if (TextAt(each, {"type"}) == type) return &each;
    }
    return nullptr;
  }

  // `moved`: something happened that the condition tells of, even when it says the same as before.
  Json Condition(const char* type, bool holds, const std::string& reason, const std::string& message,
                 bool moved) const {
    std::string time = FormatTimestamp(std::chrono::floor<std::chrono::seconds>(now_));
    const char* text = holds ? "True" : "False";
    Json condition = {{"type", type},       {"status", text},         {"reason", reason},
                      {"message", message}, {"lastUpdateTime", time}, {"lastTransitionTime", time}};
    if (const Json* before = Before(type)) {
      bool same = TextAt(*before, {"status"}) == text;
      if (same) condition["lastTransitionTime"] = TextAt(*before, {"lastTransitionTime"});
      if (same && !moved && TextAt(*before, {"reason"}) == reason) {
        condition["lastUpdateTime"] = TextAt(*before, {"lastUpdateTime"});
      }
    }
    return condition;
  }

  Json Progressing(const Json& status) {
    std::string name = new_ != nullptr ? NameOf(*new_) : plan_.new_set ? NameOf(*plan_.new_set) : "";
    auto now_is = [&](const char* field) { return IntegerAt(status, {field}); };
    auto before_was = [&](const char* field) { return IntegerAt(deployment_, {"status", field}); };
    if (now_is("updatedReplicas") == wanted_ && now_is("replicas") == wanted_ &&
        now_is("availableReplicas") == wanted_ && new_ != nullptr) {
      return Condition("Progressing", true, "NewReplicaSetAvailable",
                       fmt::format("ReplicaSet \"{}\" has successfully progressed.", name), false);
    }
    const Json* before = Before("Progressing");
    std::string message = fmt::format("ReplicaSet \"{}\" is progressing.", name);
    if (plan_.new_set) {
      return Condition("Progressing", true, "NewReplicaSetCreated", fmt::format("Created new replica set \"{}\"", name),
                       true);
    }
    std::int64_t old_now = now_is("replicas") - now_is("updatedReplicas");
    std::int64_t old_before = before_was("replicas") - before_was("updatedReplicas");
    bool progressed = now_is("updatedReplicas") > before_was("updatedReplicas") || old_now < old_before ||
                      now_is("readyReplicas") > before_was("readyReplicas") ||
                      now_is("availableReplicas") > before_was("availableReplicas");
    if (progressed || before == nullptr) return Condition("Progressing", true, "ReplicaSetUpdated", message, true);
    // What was complete once is not timed again: a pod that fails later is another matter.
    if (TextAt(*before, {"reason"}) == "NewReplicaSetAvailable") return *before;
    auto since = TimeAt(*before, {"lastUpdateTime"});
    std::chrono::seconds deadline(IntegerAt(deployment_, {"spec", "progressDeadlineSeconds"}, 600));
    if (TextAt(*before, {"status"}) == "True" && since && *since + deadline <= now_) {
      return Condition("Progressing", false, "ProgressDeadlineExceeded",
                       fmt::format("ReplicaSet \"{}\" has timed out progressing.", name), true);
    }
    if (TextAt(*before, {"status"}) == "True" && since) plan_.look_again = *since + deadline;
    return *before;
  }

  const Json& deployment_;
  const std::vector<Json>& pods_;
  const Timestamp now_;
  const std::string hash_;
  const std::int64_t wanted_;
  std::int64_t max_surge_ = 0;
  std::int64_t max_unavailable_ = 0;
  std::vector<const Json*> all_;
  std::vector<const Json*> old_;  // oldest first
  const Json* new_ = nullptr;
  DeploymentPlan plan_;
};

}  // namespace

DeploymentPlan PlanDeployment(const Json& deployment, const std::vector<Json>& sets, const std::vector<Json>& pods,
                              Timestamp now) {
  return Planner(deployment, sets, pods, now).Plan();
}

}  // namespace holdfast::local
