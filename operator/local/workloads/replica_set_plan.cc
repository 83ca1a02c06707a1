#include "operator/local/workloads/replica_set_plan.h"

#include <algorithm>
#include <chrono>

#include "operator/local/workloads/pod_facts.h"

namespace holdfast::local {
namespace {

bool Matches(const Json& pod, const Json& template_labels) {
  const Json& labels = ObjectAt(pod, {"metadata", "labels"});
  return std::all_of(template_labels.items().begin(), template_labels.items().end(), [&](const auto& each) {
    auto found = labels.find(each.key());
    return found != labels.end() && *found == each.value();
  });
}

}  // namespace

ReplicaSetPlan PlanReplicaSet(const Json& set, const std::vector<Json>& pods, Timestamp now) {
  ReplicaSetPlan plan;
  std::vector<const Json*> active;
  for (const Json& each : pods) {
    if (!IsTerminating(each) && !HasEndedPod(each)) active.push_back(&each);
  }
  auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(0, IntegerAt(set, {"spec", "replicas"}, 1)));
  if (!IsTerminating(set)) {
    for (std::size_t i = active.size(); i < wanted; ++i) {
      Json pod = PodFromTemplate(set, ControllerReference("apps/v1", "ReplicaSet", set));
      pod["metadata"]["name"] = RandomName(NameOf(set) + "-");
      plan.pods.push_back(std::move(pod));
    }
    // What serves least goes first: the unready, then the youngest.
    std::vector<const Json*> by_worth = active;
    std::sort(by_worth.begin(), by_worth.end(), [](const Json* a, const Json* b) {
      if (IsReadyPod(*a) != IsReadyPod(*b)) return !IsReadyPod(*a);
      return TextAt(*a, {"metadata", "creationTimestamp"}) > TextAt(*b, {"metadata", "creationTimestamp"});
    });
    for (std::size_t i = 0; i + wanted < active.size(); ++i) plan.pods_to_delete.push_back(NameOf(*by_worth[i]));
  }

  std::chrono::seconds min_ready(IntegerAt(set, {"spec", "minReadySeconds"}));
  std::int64_t labelled = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
  for (const Json* each : active) {
    if (Matches(*each, ObjectAt(set, {"spec", "template", "metadata", "labels"}))) ++labelled;
    if (!IsReadyPod(*each)) continue;
    ++ready;
    Timestamp since = AvailableSince(*each, min_ready).value_or(now);
    if (since <= now) {
      ++available;
    } else if (!plan.look_again || since < *plan.look_again) {
      plan.look_again = since;
    }
  }
  plan.status = {{"observedGeneration", IntegerAt(set, {"metadata", "generation"})},
                 {"replicas", active.size()},
                 {"fullyLabeledReplicas", labelled},
                 {"readyReplicas", ready},
                 {"availableReplicas", available}};
  return plan;
}

}  // namespace holdfast::local
