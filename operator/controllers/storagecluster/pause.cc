#include "operator/controllers/storagecluster/pause.h"

namespace holdfast::storagecluster {

Problem DescribePause(const Json& cluster_object, const std::vector<Action>& actions,
                      const std::vector<api::FieldError>& errors) {
  std::string message = "the operator changes nothing until the annotation ";
  message += api::kPausedAnnotation;
  message += " is taken off; ";
  if (kube::IsBeingDeleted(cluster_object)) {
    message += "the deletion waits for that";
  } else if (!errors.empty()) {
    message += "the spec would be refused: " + api::Summarize(errors);
  } else if (actions.empty()) {
    message += "nothing waits for that";
  } else {
    message += std::to_string(actions.size()) + (actions.size() == 1 ? " change waits" : " changes wait") +
               " for that: " + actions.front().because + (actions.size() == 1 ? "" : ", ...");
  }
  return {"PausedByAnnotation", std::move(message)};
}

}  // namespace holdfast::storagecluster
