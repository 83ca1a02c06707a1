#include "operator/local/workloads/stateful_set_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "operator/local/workloads/pod_facts.h"

namespace holdfast::local {
namespace {

constexpr const char* kRevisionLabel = "controller-revision-hash";

std::optional<std::int64_t> OrdinalOf(const std::string& set, const std::string& pod) {
  if (!pod.starts_with(set + "-")) return std::nullopt;
  std::string_view digits = std::string_view(pod).substr(set.size() + 1);
  std::int64_t ordinal = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return ordinal;
}

class Planner {
 public:
  Planner(const Json& set, const std::vector<Json>& pods, const std::vector<Json>& claims)
      : set_(set),
        name_(NameOf(set)),
        revision_(TemplateRevision(set)),
        wanted_(IntegerAt(set, {"spec", "replicas"}, 1)),
        first_(IntegerAt(set, {"spec", "ordinals", "start"})),
        parallel_(TextAt(set, {"spec", "podManagementPolicy"}) == "Parallel") {
    for (const Json& pod : pods) {
      if (auto ordinal = OrdinalOf(name_, NameOf(pod))) pods_[*ordinal] = &pod;
    }
    for (const Json& claim : claims) claims_[NameOf(claim)] = &claim;
  }

  StatefulSetPlan Plan() {
    if (!IsTerminating(set_)) {
      bool settled = ScaleUp();
      if (settled || parallel_) settled = ScaleDown() && settled;
      if (settled) Update();
    }
    plan_.status = Status();
    return std::move(plan_);
  }

 private:
  // True when every wanted pod is there and ready.
  bool ScaleUp() {
    bool settled = true;
    for (std::int64_t ordinal = first_; ordinal < first_ + wanted_; ++ordinal) {
      auto found = pods_.find(ordinal);
      bool ready = false;
      if (found == pods_.end()) {
        CreatePod(ordinal);
      } else if (IsTerminating(*found->second)) {
        // Made anew once it has gone.
      } else if (HasEndedPod(*found->second)) {
        plan_.pods_to_delete.push_back(NameOf(*found->second));
      } else {
        ready = IsReadyPod(*found->second);
      }
      settled = settled && ready;
      if (!ready && !parallel_) return false;
    }
    return settled;
  }

  // True when no pod is left beyond the wanted ones.
  bool ScaleDown() {
    bool none = true;
    for (auto pod = pods_.rbegin(); pod != pods_.rend(); ++pod) {
      if (pod->first >= first_ && pod->first < first_ + wanted_) continue;
      none = false;
      if (!IsTerminating(*pod->second)) plan_.pods_to_delete.push_back(NameOf(*pod->second));
      if (!parallel_) break;
    }
    return none;
  }

  // From the highest ordinal down, one pod at a time.
  void Update() {
    if (TextAt(set_, {"spec", "updateStrategy", "type"}) == "OnDelete") return;
    std::int64_t partition = IntegerAt(set_, {"spec", "updateStrategy", "rollingUpdate", "partition"});
    for (auto pod = pods_.rbegin(); pod != pods_.rend() && pod->first >= partition; ++pod) {
      if (TextAt(*pod->second, {"metadata", "labels", kRevisionLabel}) == revision_) continue;
      plan_.pods_to_delete.push_back(NameOf(*pod->second));
      return;
    }
  }

  void CreatePod(std::int64_t ordinal) {
    std::string pod_name = fmt::format("{}-{}", name_, ordinal);
    Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}};
    pod["metadata"] = ObjectAt(set_, {"spec", "template", "metadata"});
    pod["metadata"]["name"] = pod_name;
    pod["metadata"]["namespace"] = NamespaceOf(set_);
    Json& labels = EnsureObject(pod, {"metadata", "labels"});
    labels["statefulset.kubernetes.io/pod-name"] = pod_name;
    labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
    labels[kRevisionLabel] = revision_;
    pod["metadata"]["ownerReferences"] = Json::array({ControllerReference("apps/v1", "StatefulSet", set_)});
    pod["spec"] = ObjectAt(set_, {"spec", "template", "spec"});
    pod["spec"]["hostname"] = pod_name;
    pod["spec"]["subdomain"] = TextAt(set_, {"spec", "serviceName"});
    if (AddClaims(pod_name, &pod)) plan_.pods.push_back(std::move(pod));
  }

  // False while a claim of the same name is still being deleted: its data is not to be inherited.
  bool AddClaims(const std::string& pod_name, Json* pod) {
    std::vector<Json> missing;
    for (const Json& from : ArrayAt(set_, {"spec", "volumeClaimTemplates"})) {
      std::string volume = NameOf(from);
      std::string claim_name = volume + "-" + pod_name;
      auto found = claims_.find(claim_name);
      if (found == claims_.end()) {
        missing.push_back(Claim(from, claim_name));
      } else if (IsTerminating(*found->second)) {
        return false;
      }
      Json& volumes = (*pod)["spec"]["volumes"];
      if (!volumes.is_array()) volumes = Json::array();
      std::erase_if(volumes.get_ref<Json::array_t&>(),
                    [&](const Json& each) { return TextAt(each, {"name"}) == volume; });
      volumes.push_back({{"name", volume}, {"persistentVolumeClaim", {{"claimName", claim_name}}}});
    }
    plan_.claims.insert(plan_.claims.end(), missing.begin(), missing.end());
    return true;
  }

  Json Claim(const Json& from, const std::string& claim_name) const {
    Json claim = {{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}};
    claim["metadata"] = ObjectAt(from, {"metadata"});
    claim["metadata"]["name"] = claim_name;
    claim["metadata"]["namespace"] = NamespaceOf(set_);
    Json& labels = EnsureObject(claim, {"metadata", "labels"});
    for (const auto& [label, value] : ObjectAt(set_, {"spec", "selector", "matchLabels"}).items())
      labels[label] = value;
    if (TextAt(set_, {"spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"}) == "Delete") {
      claim["metadata"]["ownerReferences"] = Json::array({OwnerReference()});
    }
    claim["spec"] = ObjectAt(from, {"spec"});
    return claim;
  }

  // Not as its controller: the set may go and the claim stay.
  Json OwnerReference() const {
    return {{"apiVersion", "apps/v1"}, {"kind", "StatefulSet"}, {"name", name_}, {"uid", UidOf(set_)}};
  }

  Json Status() const {
    std::int64_t ready = 0;
    std::int64_t updated = 0;
    std::int64_t existing = 0;
    for (const auto& [ordinal, pod] : pods_) {
      ++existing;
      if (IsReadyPod(*pod) && !IsTerminating(*pod)) ++ready;
      if (TextAt(*pod, {"metadata", "labels", kRevisionLabel}) == revision_ && !IsTerminating(*pod)) ++updated;
    }
    std::string current = TextAt(set_, {"status", "currentRevision"});
    bool complete = updated == wanted_ && existing == wanted_ && ready == wanted_;
    if (current.empty() || complete) current = revision_;
    std::int64_t in_current = current == revision_ ? updated : existing - updated;
    return {{"observedGeneration", IntegerAt(set_, {"metadata", "generation"})},
            {"replicas", existing},
            {"readyReplicas", ready},
            {"availableReplicas", ready},
            {"currentReplicas", in_current},
            {"updatedReplicas", updated},
            {"currentRevision", current},
            {"updateRevision", revision_},
            {"collisionCount", 0}};
  }

  const Json& set_;
  const std::string name_;
  const std::string revision_;
  const std::int64_t wanted_;
  const std::int64_t first_;
  const bool parallel_;
  std::map<std::int64_t, const Json*> pods_;
  std::map<std::string, const Json*> claims_;
  StatefulSetPlan plan_;
};

}  // namespace

std::string TemplateRevision(const Json& set) {
  // FNV-1a: the same in every process, which std::hash does not promise.
  std::uint64_t hash = 14695981039346656037ull;
  for (char each : ObjectAt(set, {"spec", "template"}).dump()) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211ull;
  }
  return fmt::format("{}-{:010x}", NameOf(set), hash & 0xFFFFFFFFFFull);
}

StatefulSetPlan PlanStatefulSet(const Json& set, const std::vector<Json>& pods, const std::vector<Json>& claims) {
  return Planner(set, pods, claims).Plan();
}

}  // namespace holdfast::local
