// Carries out what rollout_decision.h decides. Only behind a look that found nothing to do for the primary, so never
// beside a failover; the StatefulSet's own strategy is OnDelete, so nobody else replaces a member.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/failover/pod_revision.h"
#include "operator/failover/reconciler.h"

namespace holdfast::failover {
namespace {

using kube::Json;
using runtime::Outcome;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

// Members take seconds; their coming and going is told by the watch of pods besides.
constexpr milliseconds kLookAgain{500};

}  // namespace

bool FailoverReconciler::RolloutIsPending(const Scope& scope, const std::vector<kube::ObjectPtr>& pods) const {
  const kube::ObjectPtr servers = copies_of_(scope.ns).servers->Get({scope.ns, scope.name()});
  if (servers == nullptr) return false;
  const std::string revision = RevisionOf(*servers);
  return !revision.empty() &&
         std::any_of(pods.begin(), pods.end(), [&](const kube::ObjectPtr& pod) { return IsOutdated(*pod, revision); });
}

RolloutFacts FailoverReconciler::FactsOfRollout(const View& view, const std::string& revision, std::int64_t wanted,
                                                const Memory& memory) const {
  const Facts& known = view.facts;
  RolloutFacts facts;
  facts.initialized = known.initialized;
  facts.synchronous = known.synchronous;
  facts.sync_wanted = view.config.synchronous_nodes;
  if (memory.rollout_wait) facts.waited = duration_cast<milliseconds>(clock_.Monotonic() - memory.rollout_wait->second);
  const auto serving = std::find_if(known.members.begin(), known.members.end(), [&](const Member& member) {
    return member.name == known.holder && member.report && member.report->Serves();
  });
  const MemberReport* primary = serving == known.members.end() ? nullptr : &*serving->report;
  if (primary != nullptr) {
    facts.primary = known.holder;
    if (known.sync_leader == known.holder) facts.sync_set = known.sync_set;
  }
  for (std::int64_t ordinal = 0; ordinal < wanted; ++ordinal) {
    RolloutMember member;
    member.name = fmt::format("{}-{}", view.scope.name(), ordinal);
    const auto pod = view.pods.find(member.name);
    if (pod != view.pods.end()) {
      member.there = !kube::IsBeingDeleted(pod->second);
      member.updated = !IsOutdated(pod->second, revision);
      member.running = IsRunning(pod->second);
    }
    const auto known_as = std::find_if(known.members.begin(), known.members.end(),
                                       [&](const Member& each) { return each.name == member.name; });
    if (known_as != known.members.end() && known_as->report) {
      const MemberReport& report = *known_as->report;
      member.answers = true;
      member.received = report.received;
      const bool streams =
          primary != nullptr && report.state == "running" && !report.primary && report.timeline == primary->timeline &&
          std::find(primary->streaming.begin(), primary->streaming.end(), member.name) != primary->streaming.end();
      member.in_step = streams || member.name == facts.primary;
    }
    facts.members.push_back(std::move(member));
  }
  return facts;
}

Result<std::optional<Outcome>> FailoverReconciler::Roll(View* view, Memory* memory, Deadline deadline) {
  const auto nothing = std::optional<Outcome>();
  if (view->cluster.is_null() || view->facts.paused || IsHalted(*view)) return nothing;
  std::vector<kube::ObjectPtr> pods;
  for (const auto& [name, pod] : view->pods) pods.push_back(std::make_shared<const Json>(pod));
  const bool begun = view->intent && !view->intent->rollout.empty();
  if (!begun && !RolloutIsPending(view->scope, pods)) return nothing;

  // Read behind the pods: a pod carries the same revision for life, so one that is outdated by this is so for certain.
  auto servers = client_.Get(kube::kinds::kStatefulSet, {view->scope.ns, view->scope.name()}, deadline);
  if (!servers.ok() && servers.error().code() == ErrorCode::kNotFound) return nothing;
  if (!servers.ok()) return std::move(servers).error().WithContext("reading the StatefulSet of the members");
  const std::string revision = RevisionOf(*servers);
  const std::int64_t wanted = WantedPods(*servers);
  if (kube::IsBeingDeleted(*servers) || wanted == 0) return nothing;
  if (revision.empty()) return std::optional(Outcome::After(kLookAgain));

  const RolloutStep step = DecideRollout(FactsOfRollout(*view, revision, wanted, *memory), options_.rollout_patience);
  const bool waits = step.act == RolloutAct::kWait;
  if (!waits) memory->rollout_wait.reset();
  if (waits && (!memory->rollout_wait || memory->rollout_wait->first != step.target)) {
    memory->rollout_wait.emplace(step.target, clock_.Monotonic());
  }
  const bool done = step.act == RolloutAct::kNothing;
  if (done && !begun) return nothing;
  Intent intent = view->intent.value_or(Intent{});
  intent.backend = view->scope.backend;
  intent.rollout = step.message;
  HOLDFAST_RETURN_IF_ERROR(Publish(intent, view, deadline));
  if (done) {
    Tell(*view, kube::EventType::kNormal, "RolloutCompleted",
         fmt::format("backend {}: every member is at the new revision", view->scope.backend));
    return nothing;
  }
  if (waits) return std::optional(Outcome::After(kLookAgain));
  if (step.act == RolloutAct::kReplace) return Replace(step, view, deadline);
  if (memory->switchover_failed_at &&
      clock_.Monotonic() - *memory->switchover_failed_at < options_.switchover_timeout) {
    return std::optional(Outcome::After(options_.probe_interval));
  }
  HOLDFAST_ASSIGN_OR_RETURN(const Outcome asked, Switchover(step.target, kRolloutReason, view, memory, deadline));
  return std::optional(asked);
}

// With the grace its template gives it: a standby that commits wait for asks to be released first, a primary hands
// over.
Result<std::optional<Outcome>> FailoverReconciler::Replace(const RolloutStep& step, View* view, Deadline deadline) {
  HOLDFAST_ASSIGN_OR_RETURN(const bool replaced, ReplacePod(client_, view->pods.at(step.target), deadline));
  if (!replaced) return std::optional(Outcome::After(kLookAgain));
  Tell(*view, kube::EventType::kNormal, "MemberReplaced",
       fmt::format("backend {}: {}", view->scope.backend, step.message));
  return std::optional(Outcome::After(kLookAgain));
}

}  // namespace holdfast::failover
