#include "operator/failover/pod_revision.h"

namespace holdfast::failover {
namespace {

using kube::Json;

constexpr char kRevisionLabel[] = "controller-revision-hash";

std::int64_t Number(const Json& object, const char* pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) && object.at(path).is_number_integer() ? object.at(path).get<std::int64_t>() : 0;
}

}  // namespace

std::string RevisionOf(const Json& stateful_set) {
  const bool current = Number(stateful_set, "/status/observedGeneration") >= kube::GenerationOf(stateful_set);
  return current ? kube::StringAt(stateful_set, "/status/updateRevision") : std::string();
}

std::int64_t WantedPods(const Json& stateful_set) {
  return Number(stateful_set, "/spec/replicas");
}

bool IsOutdated(const Json& pod, const std::string& revision) {
  const std::string made_from = kube::LabelOf(pod, kRevisionLabel);
  return !made_from.empty() && made_from != revision;
}

Result<bool> ReplacePod(kube::Client& client, const Json& pod, Deadline deadline) {
  const Status deleted = client.Delete(kube::kinds::kPod, kube::KeyOf(pod),
                                       {kube::UidOf(pod), kube::ResourceVersionOf(pod), std::nullopt}, deadline);
  if (deleted.ok()) return true;
  const ErrorCode code = deleted.error().code();
  const bool look_again =
      code == ErrorCode::kNotFound || code == ErrorCode::kVersionConflict || code == ErrorCode::kOutcomeUnknown;
  if (!look_again) return Error(deleted.error()).WithContext("replacing " + kube::KeyOf(pod).name);
  return false;
}

}  // namespace holdfast::failover
