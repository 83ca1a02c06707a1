// Carries a plan out, one action after the other, stopping where it must.
#pragma once

#include <optional>
#include <vector>

#include "operator/controllers/storagecluster/plan.h"
#include "operator/kube/events.h"

namespace holdfast::storagecluster {

struct Execution {
  // Something that may be gone with the next try (a conflict, a lost connection): try again, soon.
  std::optional<Error> transient;
  // The API server refused an action and will refuse it again; what does not depend on it was done all the same.
  std::optional<Problem> refused;
};

// Answers of the server replace what was observed. Events are about `cluster_object`.
Execution Execute(kube::Client& client, kube::EventRecorder& events, const Json& cluster_object,
                  const std::vector<Action>& actions, Observed* observed, Deadline deadline);

// True for errors that the same request would meet again.
bool IsRefusal(const Error& error);

}  // namespace holdfast::storagecluster
