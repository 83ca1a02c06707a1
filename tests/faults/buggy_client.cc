#include "tests/faults/buggy_client.h"

namespace holdfast::faults {

namespace {

void Complete(Json* job) {
  (*job)["status"]["conditions"] = Json::array({{{"type", "Complete"}, {"status", "True"}}});
}

}  // namespace

Result<Json> BuggyClient::Get(const kube::ResourceKind& kind, const kube::ObjectKey& key, Deadline deadline) {
  if (bug_ == Bug::kBelievesOldReads) {
    const auto known = read_.find({kind, key});
    if (known != read_.end()) return known->second;
  }
  auto object = ForwardingClient::Get(kind, key, deadline);
  if (object.ok() && bug_ == Bug::kBelievesOldReads) read_[{kind, key}] = *object;
  if (object.ok() && bug_ == Bug::kTakesJobsForDone && kind == kube::kinds::kJob) Complete(&*object);
  return object;
}

Result<Json> BuggyClient::UpdateStatus(const kube::ResourceKind& kind, const Json& object, Deadline deadline) {
  Json spoiled = object;
  for (Json& condition : spoiled["status"]["conditions"]) {
    if (bug_ == Bug::kTellsSecrets) condition["message"] = "connected with password " + secret_;
    if (bug_ == Bug::kWritesAtRest) condition["message"] = "look " + std::to_string(++looks_);
    if (bug_ == Bug::kClaimsReady && condition.at("type") == "Ready") condition["status"] = "True";
  }
  return ForwardingClient::UpdateStatus(kind, spoiled, deadline);
}

Result<Json> BuggyClient::Apply(const kube::ResourceKind& kind, const Json& object, const kube::ApplyOptions& options,
                                Deadline deadline) {
  if (given_up_) return Json(object);
  Json body = object;
  if (bug_ == Bug::kNoPreconditions) {
    body["metadata"].erase("resourceVersion");
    body["metadata"].erase("uid");
  }
  auto applied = ForwardingClient::Apply(kind, body, options, deadline);
  if (!applied.ok() && bug_ == Bug::kGivesUp) given_up_ = true;
  if (applied.ok() && bug_ == Bug::kTakesJobsForDone && kind == kube::kinds::kJob) Complete(&*applied);
  if (applied.ok() && bug_ == Bug::kMigratesTwice && kind == kube::kinds::kJob) {
    body["metadata"]["name"] = body["metadata"]["name"].get<std::string>() + "-again";
    static_cast<void>(ForwardingClient::Apply(kind, body, options, deadline));
  }
  if (!applied.ok() && applied.error().code() == ErrorCode::kOutcomeUnknown && bug_ == Bug::kRetriesUnderAName) {
    body["metadata"]["name"] = body["metadata"]["name"].get<std::string>() + "-again";
    return ForwardingClient::Apply(kind, body, options, deadline);
  }
  return applied;
}

Result<Json> BuggyClient::MergePatch(const kube::ResourceKind& kind, const kube::ObjectKey& key, const Json& patch,
                                     Deadline deadline) {
  if (bug_ == Bug::kKeepsFinalizer && patch.contains(Json::json_pointer("/metadata/finalizers")) &&
      patch.at("metadata").at("finalizers").empty()) {
    return ForwardingClient::Get(kind, key, deadline);
  }
  Json body = patch;
  if (bug_ == Bug::kNoPreconditions) body["metadata"].erase("resourceVersion");
  return ForwardingClient::MergePatch(kind, key, body, deadline);
}

Status BuggyClient::Delete(const kube::ResourceKind& kind, const kube::ObjectKey& key,
                           const kube::DeletePreconditions& preconditions, Deadline deadline) {
  return ForwardingClient::Delete(
      kind, key, bug_ == Bug::kNoPreconditions ? kube::DeletePreconditions{} : preconditions, deadline);
}

}  // namespace holdfast::faults
