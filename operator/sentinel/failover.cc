// Carries out what hasten_decision.h decides.
#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "base/time/duration.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "operator/sentinel/reconciler.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr char kKind[] = "Failover";

// Since a sentinel was told to replace this very master, as it stands in the status.
std::optional<milliseconds> SinceTold(const std::optional<failover::Intent>& intent, const std::string& master,
                                      Timestamp now) {
  const bool told = intent && intent->step == failover::steps::kPromoting && intent->from == master;
  if (!told) return std::nullopt;
  const auto started = ParseTimestamp(intent->started_at);
  return started.ok() ? duration_cast<milliseconds>(now - *started) : milliseconds{0};
}

}  // namespace

MasterEnd SentinelReconciler::EndOf(const Look& look, const Json* master) const {
  const Memory& memory = look.memory;
  if (master != nullptr) {
    // What Kubernetes' node controller writes there.
    if (kube::StringAt(*master, "/status/reason") == "NodeLost") return MasterEnd::kNodeGone;
    if (failover::HasEnded(*master)) return MasterEnd::kEnded;
  }
  // Nobody remembers in which container it was the master (a new operator): in the one it has now.
  if (memory.served_by != look.view.master || memory.served_container.empty()) {
    return master == nullptr ? MasterEnd::kVanished : MasterEnd::kUnknown;
  }
  if (history_.ContainerEnded(memory.served_container)) return MasterEnd::kEnded;
  const bool same = master != nullptr && failover::ContainerIdOf(*master) == memory.served_container;
  return same ? MasterEnd::kUnknown : MasterEnd::kVanished;
}

Result<bool> SentinelReconciler::Hasten(const Look& look, Deadline deadline) {
  const Watched& watched = look.watched;
  const std::string& master = look.view.master;
  const kube::ObjectPtr copy = copies_of_(watched.cluster.ns).servers->Get({watched.cluster.ns, master});
  if (look.view.state == State::kServing) {
    if (copy == nullptr) return false;
    look.memory.served_by = master;
    look.memory.served_container = failover::ContainerIdOf(*copy);
    look.memory.left_because.clear();
    return false;
  }
  if (look.view.state != State::kNoMaster || master.empty() || watched.hands_off) return false;
  if (EndOf(look, copy.get()) == MasterEnd::kUnknown) return false;

  // The copy may be late: what is told is told on what is now.
  HOLDFAST_ASSIGN_OR_RETURN(const Pods pods, ReadPods(watched, deadline));
  const auto pod = pods.find(master);
  EndFacts facts{.end = EndOf(look, pod == pods.end() ? nullptr : &pod->second),
                 .sentinels = watched.backend->redis()->sentinel->sentinels,
                 .reports = {},
                 .replicas = {},
                 .max_lag = std::chrono::seconds{watched.backend->redis()->sentinel->max_lag_seconds},
                 .since_told = std::nullopt};
  for (const Answer& answer : look.answers) facts.reports.push_back(answer.report);
  for (auto& [name, report] : AskServers(watched, look.memory, deadline)) {
    facts.replicas.push_back({resources::ServiceHost(name, watched.cluster.ns), report});
  }
  HOLDFAST_ASSIGN_OR_RETURN(Json live, client_.Get(kube::kinds::kStorageCluster, watched.cluster, deadline));
  if (kube::UidOf(live) != watched.uid) return false;
  const std::optional<failover::Intent> before = failover::IntentOf(live, watched.backend->name);
  facts.since_told = SinceTold(before, master, clock_.Now());
  const HastenDecision decision = DecideHastening(facts, options_.hasten);
  if (!decision.tell) {
    if (std::exchange(look.memory.left_because, decision.reason) != decision.reason) {
      log::Info("a master that has ended is left to the sentinels",
                {{"backend", watched.cluster.name + "/" + watched.backend->name},
                 {"reason", decision.reason},
                 {"message", decision.message}});
    }
    return true;
  }

  failover::Intent intent = before.value_or(failover::Intent{});
  Summarize(look, &intent);
  ++intent.epoch;
  intent.kind = kKind;
  intent.step = failover::steps::kPromoting;
  intent.from = master;
  intent.from_uid = pod == pods.end() ? std::string() : kube::UidOf(pod->second);
  intent.to.clear();
  intent.reason = decision.reason;
  intent.message = decision.message;
  intent.started_at = Now();
  intent.finished_at.clear();
  HOLDFAST_ASSIGN_OR_RETURN(live, failover::WriteIntent(client_, std::move(live), intent, clock_, deadline));
  look.memory.left_because = kTold;
  const Status told = TellSentinels(look, deadline);
  if (!told.ok()) {
    // They do it by themselves, or find the master back.
    log::Warn("no sentinel begins a failover",
              {{"backend", watched.cluster.name + "/" + watched.backend->name}, {"error", told.error().message()}});
    return true;
  }
  hastened_.Increment();
  events_.Record(live, kube::EventType::kWarning, "FailoverHastened",
                 "backend " + watched.backend->name + ": " + decision.message + ", so the sentinels replace it now");
  return true;
}

Status SentinelReconciler::TellSentinels(const Look& look, Deadline deadline) {
  Status last = Error(ErrorCode::kUnavailable, "no sentinel answers");
  for (const Answer& answer : look.answers) {
    const Deadline patience = Deadline::After(options_.answer_timeout).Sooner(deadline);
    last = sentinels_.Failover(answer.sentinel, resources::kRedisMasterName, patience);
    // Whether it has begun or not: no other may begin one as well.
    if (last.ok() || last.error().code() == ErrorCode::kOutcomeUnknown) return {};
  }
  return last;
}

}  // namespace holdfast::sentinel
