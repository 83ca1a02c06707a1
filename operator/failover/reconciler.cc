#include "operator/failover/reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "base/time/duration.h"
#include "operator/api/v1/annotations.h"

namespace holdfast::failover {
namespace {

using kube::Json;
using runtime::Outcome;
using std::chrono::milliseconds;

// How soon to look again while something is under way. Pods announce themselves through their watch; the lock does not.
constexpr milliseconds kElecting{25};
constexpr milliseconds kFencing{200};
constexpr milliseconds kWatching{250};

std::vector<double> OutageBuckets() {
  return {0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 10, 15, 20, 30, 60, 120, 300};
}

metrics::Counter& Switchovers(metrics::Registry& registry, const char* result) {
  return registry.GetCounter("holdfast_failover_switchovers_total", "Planned switchovers that ended.",
                             {{"result", result}});
}

}  // namespace

FailoverMetrics::FailoverMetrics(metrics::Registry& registry)
    : failovers(registry.GetCounter("holdfast_failover_failovers_total",
                                    "Failovers of PostgreSQL primaries that ended with a new primary.")),
      switchovers(Switchovers(registry, "done")),
      failed_switchovers(Switchovers(registry, "failed")),
      fences(registry.GetCounter("holdfast_failover_fences_total", "Primaries whose container was ended.")),
      refusals(registry.GetCounter("holdfast_failover_refusals_total",
                                   "Failovers refused because no standby provably held every acknowledged write.")),
      duration(registry.GetHistogram("holdfast_failover_duration_seconds",
                                     "From the first act of a failover to a primary that serves.", {},
                                     OutageBuckets())),
      outage(registry.GetHistogram("holdfast_failover_outage_seconds",
                                   "From when the old primary was last known to serve to a new one that does.", {},
                                   OutageBuckets())) {}

runtime::Request RequestOf(const Scope& scope) {
  return {scope.ns, scope.cluster + "/" + scope.backend};
}

Scope ScopeOf(const runtime::Request& request) {
  const std::size_t slash = std::min(request.name.find('/'), request.name.size());
  return {request.ns, request.name.substr(0, slash), slash < request.name.size() ? request.name.substr(slash + 1) : ""};
}

std::optional<Scope> ScopeOfPod(const Json& pod) {
  if (kube::LabelOf(pod, "storage.holdfast.dev/role") != "postgres") return std::nullopt;
  Scope scope{kube::KeyOf(pod).ns, kube::LabelOf(pod, kClusterLabel),
              kube::LabelOf(pod, "storage.holdfast.dev/backend")};
  if (scope.cluster.empty() || scope.backend.empty()) return std::nullopt;
  return scope;
}

FailoverReconciler::FailoverReconciler(kube::Client& client, kube::EventRecorder& events,
                                       std::function<Copies(const std::string& ns)> copies_of,
                                       const PodHistory& history, PatroniClient& patroni, WritePathProbe& write_path,
                                       const FailoverOptions& options, metrics::Registry& registry, const Clock& clock)
    : client_(client),
      events_(events),
      copies_of_(std::move(copies_of)),
      history_(history),
      patroni_(patroni),
      write_path_(write_path),
      options_(options),
      metrics_(registry),
      clock_(clock) {}

std::shared_ptr<FailoverReconciler::Memory> FailoverReconciler::MemoryOf(const runtime::Request& request) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Memory>& memory = memories_[request];
  if (memory == nullptr) memory = std::make_shared<Memory>();
  return memory;
}

Result<Outcome> FailoverReconciler::Reconcile(const runtime::Request& request, std::stop_token) {
  const Scope scope = ScopeOf(request);
  std::vector<kube::ObjectPtr> pods;
  for (const kube::ObjectPtr& pod : copies_of_(scope.ns).pods->ListLabelled(scope.ns, kClusterLabel, scope.cluster)) {
    const std::optional<Scope> of = ScopeOfPod(*pod);
    if (of && of->backend == scope.backend) pods.push_back(pod);
  }
  if (pods.empty()) {
    // Made anew, removed, or scaled to nothing.
    const std::lock_guard lock(mutex_);
    memories_.erase(request);
    return Outcome::Done();
  }
  const std::shared_ptr<Memory> memory = MemoryOf(request);
  if (Rests(scope, pods, memory.get())) return Outcome::After(options_.probe_interval);
  auto outcome = Look(scope, memory.get());
  return std::move(outcome).WithContext("failover of " + request.ToString());
}

// The primary of the last look serves on, and nobody asks for anything.
bool FailoverReconciler::Rests(const Scope& scope, const std::vector<kube::ObjectPtr>& pods, Memory* memory) const {
  const MonotonicTime now = clock_.Monotonic();
  if (!memory->settled || now - memory->looked_at >= options_.look_interval) return false;
  const kube::ObjectPtr cluster = copies_of_(scope.ns).clusters->Get({scope.ns, scope.cluster});
  static const Json::json_pointer switchover(std::string("/metadata/annotations/storage.holdfast.dev~1switchover"));
  if (cluster == nullptr || cluster->contains(switchover)) return false;
  if (!api::IsPaused(*cluster) && RolloutIsPending(scope, pods)) return false;
  const auto primary = std::find_if(pods.begin(), pods.end(), [&](const kube::ObjectPtr& pod) {
    return kube::KeyOf(*pod).name == memory->served_by;
  });
  if (primary == pods.end() || !IsRunning(**primary) || kube::IsBeingDeleted(**primary) ||
      ContainerIdOf(**primary) != memory->served_container) {
    return false;
  }
  const bool pretender = std::any_of(pods.begin(), pods.end(), [&](const kube::ObjectPtr& pod) {
    const std::string role = kube::LabelOf(*pod, "role");
    return pod != *primary && (role == "master" || role == "primary");
  });
  if (pretender) return false;
  const auto report =
      patroni_.Report(EndpointOf(scope, **primary, memory->tls), Deadline::After(options_.probe_timeout));
  if (!report.ok() || !report->Serves()) return false;
  memory->served_at = clock_.Monotonic();
  return true;
}

Result<Outcome> FailoverReconciler::Look(const Scope& scope, Memory* memory) {
  const Deadline deadline = Deadline::After(options_.reconcile_timeout);
  const bool routine = memory->settled && clock_.Monotonic() - memory->looked_at >= options_.look_interval;
  memory->settled = false;
  HOLDFAST_ASSIGN_OR_RETURN(View view, Gather(scope, routine, memory, deadline));
  memory->looked_at = clock_.Monotonic();
  const Decision decision = Decide(view.facts, options_.patience);
  if (decision.reason != memory->last_reason) {
    log::Info("failover decision", {{"backend", RequestOf(scope).ToString()},
                                    {"reason", decision.reason},
                                    {"message", decision.message},
                                    {"target", decision.target}});
    memory->last_reason = decision.reason;
  }
  return Carry(decision, &view, memory, deadline);
}

Result<Outcome> FailoverReconciler::Carry(const Decision& decision, View* view, Memory* memory, Deadline deadline) {
  const bool acts = decision.act == Act::kFence || decision.act == Act::kPromote;
  if (acts && HandsOff(*view)) {
    const std::string message = "failover is switched off (spec.failover.mode Manual, or the annotation paused): ";
    return Waiting({Act::kWait, "", "SwitchedOff", message + decision.message, true}, steps::kWaiting, view, memory,
                   deadline);
  }
  switch (decision.act) {
    case Act::kNothing:
      return Serving(decision, view, memory, deadline);
    case Act::kWait:
      return Waiting(decision, steps::kWaiting, view, memory, deadline);
    case Act::kRefuse:
      return Waiting(decision, steps::kRefused, view, memory, deadline);
    case Act::kFence:
      return Fence(decision, view, memory, deadline);
    case Act::kPromote:
      return Promote(decision, view, memory, deadline);
  }
  return Outcome::After(options_.probe_interval);
}

// Somebody serves, or nothing can yet: what was under way is over.
Result<Outcome> FailoverReconciler::Serving(const Decision& decision, View* view, Memory* memory, Deadline deadline) {
  const Facts& facts = view->facts;
  const auto pod = view->pods.find(facts.holder);
  const bool serving = pod != view->pods.end() && facts.initialized && !facts.paused;
  if (view->cluster.is_null()) return Outcome::After(options_.probe_interval);
  if (!serving) {
    // A first member that cannot start may be waiting for another template.
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Outcome> rolled, Roll(view, memory, deadline));
    return rolled.value_or(Outcome::After(options_.probe_interval));
  }

  Intent intent = view->intent.value_or(Intent{});
  intent.backend = view->scope.backend;
  const MonotonicTime now = clock_.Monotonic();
  const bool failed_over = intent.Open() && intent.kind == "Failover" && intent.from != facts.holder;
  if (failed_over) {
    metrics_.failovers.Increment();
    if (memory->acted_at) metrics_.duration.Observe(std::chrono::duration<double>(now - *memory->acted_at).count());
    if (memory->served_at != MonotonicTime{}) {
      metrics_.outage.Observe(std::chrono::duration<double>(now - memory->served_at).count());
    }
    Tell(*view, kube::EventType::kNormal, "FailoverCompleted",
         fmt::format("{} is the primary of backend {} instead of {}", facts.holder, intent.backend, intent.from));
  }
  if (intent.Open() && intent.kind != "Switchover") {
    intent.step = steps::kDone;
    intent.to = facts.holder;
    intent.finished_at = Now();
  }
  memory->served_by = facts.holder;
  memory->served_container = ContainerIdOf(pod->second);
  memory->served_at = now;
  memory->acted_at.reset();
  if (intent.primary != facts.holder) intent.primary = facts.holder;
  const bool covered = facts.synchronous && facts.sync_leader == facts.holder && !facts.sync_set.empty();
  const bool stuck = facts.write_path == WritePath::kStuck;
  intent.ready = covered && !stuck;
  intent.ready_reason = stuck               ? "WritePathStuck"
                        : covered           ? "SynchronousStandby"
                        : facts.synchronous ? "NoSynchronousStandby"
                                            : "Asynchronous";
  if (stuck && (!view->intent || view->intent->ready_reason != intent.ready_reason)) {
    Tell(*view, kube::EventType::kWarning, "WritePathStuck",
         fmt::format("backend {}: {}", intent.backend, decision.message));
  }
  HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));

  const bool switching = intent.Open() && intent.kind == "Switchover";
  if (switching && intent.reason == kRolloutReason)
    return Switchover(intent.to, kRolloutReason, view, memory, deadline);
  static const Json::json_pointer asked(std::string("/metadata/annotations/storage.holdfast.dev~1switchover"));
  if (view->cluster.contains(asked) && view->cluster.at(asked).is_string()) {
    if (failed_over) {
      // It was asked for of a primary that is no more.
      HOLDFAST_RETURN_IF_ERROR(DropSwitchover(view, deadline));
    } else if (const std::string wanted = view->cluster.at(asked); MindsSwitchover(*view, wanted)) {
      return Switchover(wanted, kAskedReason, view, memory, deadline);
    }
  } else if (switching) {
    return EndSwitchover("SwitchoverWithdrawn", "the annotation was taken away", view, deadline);
  }
  HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Outcome> rolled, Roll(view, memory, deadline));
  if (rolled) return *rolled;
  memory->settled = true;
  return Outcome::After(options_.probe_interval);
}

Result<Outcome> FailoverReconciler::Waiting(const Decision& decision, const char* step, View* view, Memory* memory,
                                            Deadline deadline) {
  const bool electing = view->facts.holder.empty();
  // What passes in a moment is not worth a write; an intent that is being carried out says more than its waiting.
  if (decision.lasting && !view->cluster.is_null()) {
    const bool news = !view->intent || view->intent->reason != decision.reason;
    // The only member, on its way from one template to the next, which the rollout tells of: nobody has failed.
    const bool planned = view->facts.members.size() == 1 && view->intent && !view->intent->rollout.empty();
    if (!planned) {
      Intent intent = Begin("Failover", step, *view);
      intent.reason = decision.reason;
      intent.message = decision.message;
      intent.ready = false;
      intent.ready_reason = decision.reason;
      HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
    }
    if (news && !planned) {
      if (decision.act == Act::kRefuse) metrics_.refusals.Increment();
      Tell(*view, kube::EventType::kWarning, decision.act == Act::kRefuse ? "FailoverRefused" : "FailoverWaits",
           fmt::format("backend {}: {}", view->scope.backend, decision.message));
    }
    HOLDFAST_ASSIGN_OR_RETURN(const std::optional<Outcome> rolled, Roll(view, memory, deadline));
    if (rolled) return *rolled;
  }
  return Outcome::After(electing ? kElecting : decision.lasting ? options_.probe_interval : kWatching);
}

Result<Outcome> FailoverReconciler::Fence(const Decision& decision, View* view, Memory* memory, Deadline deadline) {
  const auto pod = view->pods.find(decision.target);
  if (pod == view->pods.end()) return Outcome::After(kFencing);
  if (!memory->acted_at) memory->acted_at = clock_.Monotonic();
  Intent intent = Begin("Failover", steps::kFencing, *view);
  intent.from = decision.target;
  intent.from_uid = kube::UidOf(pod->second);
  intent.to.clear();
  intent.reason = decision.reason;
  intent.message = decision.message;
  intent.ready = false;
  intent.ready_reason = decision.reason;
  static const Json::json_pointer grace("/metadata/deletionGracePeriodSeconds");
  const bool under_way =
      kube::IsBeingDeleted(pod->second) &&
      pod->second.value(grace, std::int64_t{0}) <= static_cast<std::int64_t>(options_.fence_grace.count());
  if (under_way && clock_.Monotonic() - *memory->acted_at > options_.fence_patience) {
    intent.reason = "FenceUnconfirmed";
    intent.message = fmt::format(
        "nobody confirms that the container of {} has ended, so its node may be gone: waits until Patroni's lock runs "
        "out",
        decision.target);
  }
  const bool news = !view->intent || view->intent->step != steps::kFencing || view->intent->reason != intent.reason;
  HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
  if (news) {
    Tell(*view, kube::EventType::kWarning, intent.reason == "FenceUnconfirmed" ? "FailoverWaits" : "FailoverStarted",
         intent.message);
  }
  if (under_way) return Outcome::After(kFencing);
  // In the version that was judged: one that has come back since has changed.
  const Status deleted =
      client_.Delete(kube::kinds::kPod, kube::KeyOf(pod->second),
                     {kube::UidOf(pod->second), kube::ResourceVersionOf(pod->second), options_.fence_grace}, deadline);
  if (!deleted.ok()) {
    const ErrorCode code = deleted.error().code();
    const bool look_again =
        code == ErrorCode::kNotFound || code == ErrorCode::kVersionConflict || code == ErrorCode::kOutcomeUnknown;
    if (!look_again) return Error(deleted.error()).WithContext("ending the container of " + decision.target);
    return Outcome::After(kElecting);
  }
  metrics_.fences.Increment();
  log::Warn("old primary fenced", {{"pod", decision.target}, {"reason", decision.reason}});
  return Outcome::After(kFencing);
}

Result<Outcome> FailoverReconciler::Promote(const Decision& decision, View* view, Memory* memory, Deadline deadline) {
  if (!memory->acted_at) memory->acted_at = clock_.Monotonic();
  Intent intent = Begin("Failover", steps::kPromoting, *view);
  intent.from = view->facts.holder;
  intent.to = decision.target;
  intent.reason = decision.reason;
  intent.message = decision.message;
  intent.ready = false;
  intent.ready_reason = decision.reason;
  const bool news = !view->intent || view->intent->step != steps::kPromoting;
  HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
  auto cleared =
      client_.MergePatch(kube::kinds::kConfigMap, view->scope.leader(), ClearLockPatch(view->leader_map), deadline);
  if (!cleared.ok()) {
    const ErrorCode code = cleared.error().code();
    // Somebody was faster, or nobody knows: what is there now decides.
    if (code == ErrorCode::kVersionConflict || code == ErrorCode::kOutcomeUnknown) return Outcome::After(kElecting);
    return std::move(cleared).error().WithContext("clearing the lock of " + view->facts.holder);
  }
  if (news) Tell(*view, kube::EventType::kWarning, "FailoverStarted", intent.message);
  log::Warn("lock cleared", {{"scope", view->scope.name()}, {"from", intent.from}, {"expected", intent.to}});
  return Outcome::After(kElecting);
}

Intent FailoverReconciler::Begin(const char* kind, const char* step, const View& view) const {
  Intent intent = view.intent.value_or(Intent{});
  if (!intent.Open() || intent.kind != kind) {
    ++intent.epoch;
    intent.started_at = Now();
    intent.finished_at.clear();
    intent.from = view.facts.holder;
    intent.from_uid.clear();
    intent.to.clear();
  }
  intent.backend = view.scope.backend;
  intent.kind = kind;
  intent.step = step;
  return intent;
}

Status FailoverReconciler::Publish(const Intent& intent, View* view, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(view->cluster, WriteIntent(client_, view->cluster, intent, clock_, deadline));
  view->intent = intent;
  return {};
}

std::string FailoverReconciler::Now() const {
  return FormatTimestamp(std::chrono::floor<std::chrono::milliseconds>(clock_.Now()));
}

void FailoverReconciler::Tell(const View& view, kube::EventType type, const char* reason, const std::string& message) {
  events_.Record(view.cluster, type, reason, message);
}

}  // namespace holdfast::failover
