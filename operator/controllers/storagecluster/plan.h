// What has to be done so that what there is becomes what should be. Pure: no client, no clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "operator/controllers/storagecluster/observed.h"

namespace holdfast::storagecluster {

enum class Verb { kApply, kCreate, kDelete, kMergePatch };

struct Action {
  Verb verb = Verb::kApply;
  kube::ResourceKind kind;
  kube::ObjectKey key;
  // kApply: the fields we own. When the object was there, with its uid and resourceVersion, so that the server refuses
  // the write if it has been changed or replaced since. kCreate: the object; one that is there already is left alone
  // and read again. kMergePatch: the patch, with its resourceVersion.
  Json body = nullptr;
  // kApply: there was none; the write must not take fields over from an object that came up in between.
  bool creates = false;
  kube::DeletePreconditions preconditions = {};  // kDelete
  std::string event_reason = {};                 // "Created"; for the event and the log
  std::string because = {};                      // "StatefulSet prod/demo differs at /spec/replicas"
};

// What is in the way or wrong; goes into the conditions.
struct Problem {
  std::string reason;   // CamelCase
  std::string message;  // names the object and the remedy
};

struct Plan {
  // In the order in which they must be taken. Empty while something blocks: an object of a stranger is never built
  // upon.
  std::vector<Action> actions;
  // A person has to act.
  std::optional<Problem> blocked;
  // The cluster has to catch up (an object is still going); comes right by itself.
  std::optional<Problem> waiting;
  // Something is wrong beside the work above.
  std::vector<Problem> warnings;
  // A change could not be planned yet, for want of what comes by itself.
  bool unfinished = false;

  bool Idle() const { return actions.empty(); }
};

// `desired` are the objects of `cluster`, from resources::BuildObjects. Those whose stage has not been reached
// (migrations.h) are left as they are.
Plan MakePlan(const api::StorageCluster& cluster, const std::vector<resources::DesiredObject>& desired,
              const Observed& observed);

// Lets a claim of ours grow to `size`, in the version that was observed; nothing when it has asked for that much
// already. Only ever upwards, whatever a spec says by now.
std::optional<Action> GrowClaim(const Json& claim, const std::string& size);

// Deleting exactly the object that was observed.
Action DeleteObserved(const kube::ResourceKind& kind, const Json& object, std::string because);

}  // namespace holdfast::storagecluster
