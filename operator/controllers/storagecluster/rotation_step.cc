#include "operator/controllers/storagecluster/rotation_step.h"

#include <algorithm>
#include <utility>

#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

}  // namespace

std::string AnnotationOf(const Json& object, const char* name) {
  const Json::json_pointer pointer = Json::json_pointer("/metadata/annotations") / name;
  return object.contains(pointer) && object.at(pointer).is_string() ? object.at(pointer).get<std::string>()
                                                                    : std::string();
}

std::vector<std::string> AddressesOf(const std::string& backend, const char* role, bool only_ready,
                                     const Observed& observed) {
  std::vector<std::string> addresses;
  for (const Json& pod : observed.pods) {
    const bool is_one =
        kube::LabelOf(pod, resources::kRoleLabel) == role && kube::LabelOf(pod, resources::kBackendLabel) == backend;
    std::string address = kube::StringAt(pod, "/status/podIP");
    if (is_one && (kube::IsReady(pod) || !only_ready) && !address.empty()) addresses.push_back(std::move(address));
  }
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

bool IsRolledOut(const Json* workload) {
  if (workload == nullptr) return false;
  const std::int64_t wanted = Number(*workload, "/spec/replicas");
  return Number(*workload, "/status/observedGeneration") >= kube::GenerationOf(*workload) &&
         Number(*workload, "/status/updatedReplicas") >= wanted &&
         Number(*workload, "/status/readyReplicas") >= wanted && Number(*workload, "/status/replicas") <= wanted;
}

bool ServiceIsRolledOut(const api::StorageCluster& cluster, const Observed& observed) {
  const bool ending = std::any_of(observed.pods.begin(), observed.pods.end(), [](const Json& pod) {
    return kube::LabelOf(pod, resources::kRoleLabel) == resources::kServiceRole && kube::IsBeingDeleted(pod);
  });
  const bool keeps_data = resources::KeepsDataInPods(cluster.spec);
  const kube::ResourceKind& kind = keeps_data ? kube::kinds::kStatefulSet : kube::kinds::kDeployment;
  return !ending && IsRolledOut(observed.Find(kind, cluster.name));
}

void RotationStep::Wait(const std::string& what) const {
  if (!plan_.under_way) plan_.under_way = Problem{"RotatingPasswords", Of() + what};
}

void RotationStep::Take(Json annotations, Json data, const char* event, const std::string& because) const {
  Action action{.verb = Verb::kMergePatch, .kind = kube::kinds::kSecret, .key = kube::KeyOf(secret_)};
  action.body = {
      {"metadata", {{"resourceVersion", kube::ResourceVersionOf(secret_)}, {"annotations", std::move(annotations)}}}};
  if (!data.is_null()) action.body["data"] = std::move(data);
  action.event_reason = event;
  action.because = Of() + because;
  if (!plan_.under_way) plan_.under_way = Problem{"RotatingPasswords", action.because};
  plan_.actions.push_back(std::move(action));
}

bool RotationStep::JobIsDone(const std::string& task) const {
  const Json* job = nullptr;
  for (const resources::DesiredObject& object : desired_) {
    const bool is_it = object.kind == kube::kinds::kJob && object.backend == backend_.name &&
                       object.stage == resources::Stage::kAlways;
    if (is_it) job = observed_.Find(object.kind, object.key().name);
  }
  if (job != nullptr && kube::HasCondition(*job, "Failed")) {
    const std::string name = "Job " + kube::KeyOf(*job).ToString();
    if (!plan_.failed) {
      plan_.failed = Problem{"PasswordRotationFailed",
                             Of() + name +
                                 " failed; both passwords that were good still are. Mend what its log says, then "
                                 "delete the Job to have it run again"};
    }
    Wait(name + " has failed");
    return false;
  }
  if (job != nullptr && kube::HasCondition(*job, "Complete")) return true;
  Wait(task);
  return false;
}

}  // namespace holdfast::storagecluster
