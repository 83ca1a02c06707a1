// The planned change of primary: Patroni does it (POST /switchover), this asks for it, watches and tells.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/time/duration.h"
#include "operator/api/v1/annotations.h"
#include "operator/failover/reconciler.h"

namespace holdfast::failover {
namespace {

using kube::Json;
using runtime::Outcome;

constexpr std::chrono::milliseconds kLookAgain{50};
// Patroni answers when it is over; that is not waited for.
constexpr std::chrono::milliseconds kAskTimeout{500};
constexpr char kKind[] = "Switchover";

enum class Candidate { kReady, kNotYet, kNever };

// While commits wait for standbys, Patroni hands over to one of these only. Whoever is none of them may become one as
// long as there are fewer than there are to be, and the first ones come moments after a cluster does.
Candidate Judge(const Facts& facts, const PatroniConfig& config, const std::string& wanted) {
  if (!facts.synchronous) return Candidate::kReady;
  const std::vector<std::string> none;
  const std::vector<std::string>& standbys = facts.sync_leader == facts.holder ? facts.sync_set : none;
  if (wanted.empty() && !standbys.empty()) return Candidate::kReady;
  if (std::find(standbys.begin(), standbys.end(), wanted) != standbys.end()) return Candidate::kReady;
  return standbys.size() < config.synchronous_nodes ? Candidate::kNotYet : Candidate::kNever;
}

}  // namespace

// An annotation is the cluster's, and exactly one of its backends takes it up: that of the pod it names, and of what
// names none the first.
bool FailoverReconciler::MindsSwitchover(const View& view, const std::string& wanted) const {
  std::set<std::string> backends;
  for (const kube::ObjectPtr& pod :
       copies_of_(view.scope.ns).pods->ListLabelled(view.scope.ns, kClusterLabel, view.scope.cluster)) {
    const std::optional<Scope> of = ScopeOfPod(*pod);
    if (!of) continue;
    if (!wanted.empty() && kube::KeyOf(*pod).name == wanted) return of->backend == view.scope.backend;
    backends.insert(of->backend);
  }
  return backends.empty() || *backends.begin() == view.scope.backend;
}

Result<Outcome> FailoverReconciler::Switchover(const std::string& wanted, const char* reason, View* view,
                                               Memory* memory, Deadline deadline) {
  const std::string holder = view->facts.holder;
  const bool under_way = view->intent && view->intent->Open() && view->intent->kind == kKind;
  if (under_way && view->intent->from != holder) {
    metrics_.switchovers.Increment();
    return EndSwitchover(
        "SwitchoverCompleted",
        fmt::format("{} is the primary of backend {} instead of {}", holder, view->scope.backend, view->intent->from),
        view, deadline);
  }
  const auto fail = [&](const std::string& message) {
    metrics_.failed_switchovers.Increment();
    memory->switchover_failed_at = clock_.Monotonic();
    return EndSwitchover("SwitchoverFailed", message, view, deadline);
  };
  if (IsHalted(*view)) return Outcome::After(options_.probe_interval);
  if (wanted == holder) return fail(wanted + " is the primary already");
  if (!wanted.empty() && !view->pods.contains(wanted)) return fail("there is no pod " + wanted);
  const Candidate candidate = Judge(view->facts, view->config, wanted);
  if (candidate == Candidate::kNever) {
    return fail(fmt::format(
        "{} is no synchronous standby, so it may lack acknowledged writes; ask for one that is ({}), or name "
        "no pod to have the best of them",
        wanted, fmt::join(view->facts.sync_set, ", ")));
  }
  if (under_way) {
    const auto started = ParseTimestamp(view->intent->started_at);
    if (!started.ok() || clock_.Now() - *started > options_.switchover_timeout) {
      return fail(fmt::format("{} is still the primary after {}{}", holder, FormatDuration(options_.switchover_timeout),
                              candidate == Candidate::kReady ? ""
                              : wanted.empty()               ? ", because no standby is synchronous"
                                                             : ", because " + wanted + " is no synchronous standby"));
    }
    // Patroni keeps what it was asked for until it is over.
    auto asked = client_.Get(kube::kinds::kConfigMap, {view->scope.ns, view->scope.name() + "-failover"}, deadline);
    if (asked.ok() && !kube::StringAt(*asked, "/metadata/annotations/leader").empty()) {
      return Outcome::After(kLookAgain);
    }
    if (!asked.ok() && asked.error().code() != ErrorCode::kNotFound) return std::move(asked).error();
  } else {
    Intent intent = Begin(kKind, steps::kSwitching, *view);
    intent.from = holder;
    intent.to = wanted;
    intent.reason = reason;
    intent.message =
        fmt::format("a switchover from {} to {} {}", holder, wanted.empty() ? std::string("the best standby") : wanted,
                    intent.reason == kRolloutReason ? "is part of a rolling change" : "was asked for");
    HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
    Tell(*view, kube::EventType::kNormal, "SwitchoverStarted", intent.message);
  }
  if (candidate == Candidate::kNotYet) return Outcome::After(kLookAgain);
  memory->acted_at = clock_.Monotonic();
  const Status asked = patroni_.Switchover(EndpointOf(view->scope, view->pods.at(holder), view->tls), holder, wanted,
                                           Deadline::After(kAskTimeout).Sooner(deadline));
  if (!asked.ok() && asked.error().code() == ErrorCode::kFailedPrecondition) return fail(asked.error().message());
  return Outcome::After(kLookAgain);
}

Result<Outcome> FailoverReconciler::EndSwitchover(const char* reason, const std::string& message, View* view,
                                                  Deadline deadline) {
  const bool of_rollout = view->intent && view->intent->Open() && view->intent->reason == kRolloutReason;
  Intent intent = Begin(kKind, steps::kDone, *view);
  intent.to = view->facts.holder;
  intent.reason = reason;
  intent.message = message;
  intent.finished_at = Now();
  HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
  const bool failed = std::string_view(reason) == "SwitchoverFailed";
  Tell(*view, failed ? kube::EventType::kWarning : kube::EventType::kNormal, reason, message);
  // Nobody asked for that of a rollout, and what somebody asks for meanwhile is another.
  if (!of_rollout) HOLDFAST_RETURN_IF_ERROR(DropSwitchover(view, deadline));
  return Outcome::After(kLookAgain);
}

// Only in the version that was read: a new wish is not this one.
Status FailoverReconciler::DropSwitchover(View* view, Deadline deadline) {
  const Json patch = {{"metadata",
                       {{"resourceVersion", kube::ResourceVersionOf(view->cluster)},
                        {"annotations", {{api::kSwitchoverAnnotation, nullptr}}}}}};
  auto dropped =
      client_.MergePatch(kube::kinds::kStorageCluster, {view->scope.ns, view->scope.cluster}, patch, deadline);
  if (dropped.ok()) {
    view->cluster = std::move(dropped).value();
    return {};
  }
  return std::move(dropped).error().WithContext("taking the annotation of the switchover away");
}

}  // namespace holdfast::failover
