#include "operator/controllers/storagecluster/execute.h"

#include "base/log/log.h"
#include "operator/resources/names.h"

namespace holdfast::storagecluster {
namespace {

Result<Json> Apply(kube::Client& client, const Action& action, Deadline deadline) {
  kube::ApplyOptions options;
  options.field_manager = resources::kFieldManager;
  // On an object that is known to be ours, fields others have taken are taken back.
  options.force = !action.creates;
  return client.Apply(action.kind, action.body, options, deadline);
}

// Nothing to observe after a delete.
Result<std::optional<Json>> Perform(kube::Client& client, const Action& action, Deadline deadline) {
  switch (action.verb) {
    case Verb::kApply: {
      HOLDFAST_ASSIGN_OR_RETURN(Json object, Apply(client, action, deadline));
      return std::optional<Json>(std::move(object));
    }
    case Verb::kCreate: {
      HOLDFAST_ASSIGN_OR_RETURN(Json object, client.Create(action.kind, action.body, deadline));
      return std::optional<Json>(std::move(object));
    }
    case Verb::kMergePatch: {
      HOLDFAST_ASSIGN_OR_RETURN(Json object, client.MergePatch(action.kind, action.key, action.body, deadline));
      return std::optional<Json>(std::move(object));
    }
    case Verb::kDelete:
      break;
  }
  const Status deleted = client.Delete(action.kind, action.key, action.preconditions, deadline);
  if (!deleted.ok() && deleted.error().code() != ErrorCode::kNotFound) return deleted.error();
  return std::optional<Json>();
}

std::string RefusalReason(const Action& action) {
  return action.event_reason == "VolumeGrowing" ? "VolumeResizeFailed" : "ApplyFailed";
}

}  // namespace

bool IsRefusal(const Error& error) {
  return error.code() == ErrorCode::kInvalidArgument || error.code() == ErrorCode::kFailedPrecondition;
}

Execution Execute(kube::Client& client, kube::EventRecorder& events, const Json& cluster_object,
                  const std::vector<Action>& actions, Observed* observed, Deadline deadline) {
  Execution execution;
  for (const Action& action : actions) {
    // What is to be removed stays as long as something that may have to replace it could not be written.
    if (action.verb == Verb::kDelete && execution.refused) continue;
    auto answer = Perform(client, action, deadline);
    if (answer.ok()) {
      log::Info(action.because, {{"cluster", kube::KeyOf(cluster_object).ToString()}, {"action", action.event_reason}});
      events.Record(cluster_object, kube::EventType::kNormal, action.event_reason, action.because);
      if (answer.value()) observed->Put(action.kind, std::move(*answer.value()));
      continue;
    }
    const std::string what = action.kind.kind + " " + action.key.ToString();
    if (!IsRefusal(answer.error())) {
      execution.transient = std::move(answer).error().WithContext(what);
      return execution;
    }
    if (!execution.refused) {
      execution.refused =
          Problem{RefusalReason(action), what + " was refused by the API server: " + answer.error().message()};
    }
  }
  return execution;
}

}  // namespace holdfast::storagecluster
