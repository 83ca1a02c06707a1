// Keeps one PostgreSQL backend's primary: watches it, and when it is gone helps its successor on, in the steps
// fence -> clear the lock -> watch Patroni elect. Also carries out planned switchovers, and replaces the members, one
// after the other, when their pod template has changed (rollout_decision.h).
//
// Level-based like every reconciler: each call gathers the facts anew, decides on them alone (decision.h) and takes at
// most one step, whose intent is in the StorageCluster's status before it is taken. So a crash between any two lines is
// one more call, and of two operators the one that is behind meets a conflict: the lock is cleared and pods are deleted
// only in the version that was judged.
//
// At rest it asks the primary's Patroni once per probe interval and the API server nothing, but for one look around
// every half minute.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/failover/decision.h"
#include "operator/failover/intent.h"
#include "operator/failover/patroni_client.h"
#include "operator/failover/patroni_state.h"
#include "operator/failover/pod_history.h"
#include "operator/failover/rollout_decision.h"
#include "operator/failover/write_path.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::failover {

struct FailoverOptions {
  Patience patience;
  std::chrono::milliseconds probe_interval{1'000};
  std::chrono::milliseconds probe_timeout{1'000};  // of one member's answer
  std::chrono::milliseconds look_interval{30'000};
  std::chrono::milliseconds reconcile_timeout{10'000};
  // What a container that is ended has left to end by itself. Never zero: a deletion without grace does not wait for
  // the kubelet, and proves nothing.
  std::chrono::seconds fence_grace{1};
  // From when a fence without an answer is told of.
  std::chrono::milliseconds fence_patience{10'000};
  std::chrono::milliseconds switchover_timeout{60'000};
  // See DecideRollout.
  std::chrono::milliseconds rollout_patience{600'000};
};

// A request names a backend: {namespace, "<cluster>/<backend>"}.
runtime::Request RequestOf(const Scope& scope);
Scope ScopeOf(const runtime::Request& request);
// Of a pod of a PostgreSQL member, by its labels; nothing for other pods.
std::optional<Scope> ScopeOfPod(const kube::Json& pod);

struct FailoverMetrics {
  explicit FailoverMetrics(metrics::Registry& registry);
  metrics::Counter& failovers;
  metrics::Counter& switchovers;
  metrics::Counter& failed_switchovers;
  metrics::Counter& fences;
  metrics::Counter& refusals;
  metrics::Histogram& duration;  // seconds from the first act to a primary that serves
  metrics::Histogram& outage;    // seconds from when the old primary last said that it serves
};

class FailoverReconciler : public runtime::Reconciler {
 public:
  // What an informer knows of a namespace.
  struct Copies {
    const kube::Lister* clusters = nullptr;
    const kube::Lister* pods = nullptr;     // of PostgreSQL members
    const kube::Lister* servers = nullptr;  // their StatefulSets
  };

  // All references outlive the reconciler.
  FailoverReconciler(kube::Client& client, kube::EventRecorder& events,
                     std::function<Copies(const std::string& ns)> copies_of, const PodHistory& history,
                     PatroniClient& patroni, WritePathProbe& write_path, const FailoverOptions& options,
                     metrics::Registry& registry, const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  // Why a switchover is under way.
  static constexpr char kAskedReason[] = "SwitchoverAsked";
  static constexpr char kRolloutReason[] = "RollingChange";

  // Evidence gathered between calls. Nothing here is needed after a restart, but it takes time to gather again.
  struct Memory {
    // Who held the lock, in which container, when it was last seen to serve.
    std::string served_by;
    std::string served_container;
    MonotonicTime served_at{};
    std::optional<MonotonicTime> silent_since;
    std::optional<MonotonicTime> rogue_since;
    std::string lock_version;
    MonotonicTime lock_seen{};  // since when the lock has that version
    MonotonicTime looked_at{};
    std::shared_ptr<const PatroniTls> tls;  // as of the last look
    bool settled = false;                   // the last look found nothing to do
    std::optional<MonotonicTime> acted_at;  // the first act of the failover under way
    std::string last_reason;                // of the last decision, so that a change is logged once
    // Whom a rollout waits for, and since when.
    std::optional<std::pair<std::string, MonotonicTime>> rollout_wait;
    std::optional<MonotonicTime> switchover_failed_at;
  };
  // What one call has read.
  struct View {
    Scope scope;
    kube::Json cluster;
    kube::Json leader_map;
    std::map<std::string, kube::Json> pods;  // by name
    std::shared_ptr<const PatroniTls> tls;   // of the members; nullptr: plain HTTP
    SyncState sync;
    PatroniConfig config;
    Facts facts;
    std::optional<Intent> intent;
  };

  std::shared_ptr<Memory> MemoryOf(const runtime::Request& request);
  bool Rests(const Scope& scope, const std::vector<kube::ObjectPtr>& pods, Memory* memory) const;
  Result<runtime::Outcome> Look(const Scope& scope, Memory* memory);
  // `routine`: nothing looked wrong, so there is time to ask whether writes get through.
  Result<View> Gather(const Scope& scope, bool routine, Memory* memory, Deadline deadline) const;
  static PatroniEndpoint EndpointOf(const Scope& scope, const kube::Json& pod, std::shared_ptr<const PatroniTls> tls);
  void AskMembers(View* view, Deadline deadline) const;
  void JudgeHolder(View* view, Memory* memory) const;
  // Nothing at all may be done to the cluster.
  static bool IsHalted(const View& view);
  // No failover may be.
  static bool HandsOff(const View& view);

  Result<runtime::Outcome> Carry(const Decision& decision, View* view, Memory* memory, Deadline deadline);
  Result<runtime::Outcome> Serving(const Decision& decision, View* view, Memory* memory, Deadline deadline);
  Result<runtime::Outcome> Waiting(const Decision& decision, const char* step, View* view, Memory* memory,
                                   Deadline deadline);
  Result<runtime::Outcome> Fence(const Decision& decision, View* view, Memory* memory, Deadline deadline);
  Result<runtime::Outcome> Promote(const Decision& decision, View* view, Memory* memory, Deadline deadline);
  // `reason`: kAskedReason or kRolloutReason, which the intent carries until it is over.
  Result<runtime::Outcome> Switchover(const std::string& wanted, const char* reason, View* view, Memory* memory,
                                      Deadline deadline);
  Result<runtime::Outcome> EndSwitchover(const char* reason, const std::string& message, View* view, Deadline deadline);
  bool MindsSwitchover(const View& view, const std::string& wanted) const;
  Status DropSwitchover(View* view, Deadline deadline);

  // From the copies: some pod is not what the StatefulSet would make now.
  bool RolloutIsPending(const Scope& scope, const std::vector<kube::ObjectPtr>& pods) const;
  RolloutFacts FactsOfRollout(const View& view, const std::string& revision, std::int64_t wanted,
                              const Memory& memory) const;
  // One step of it; nothing when there is none to take.
  Result<std::optional<runtime::Outcome>> Roll(View* view, Memory* memory, Deadline deadline);
  Result<std::optional<runtime::Outcome>> Replace(const RolloutStep& step, View* view, Deadline deadline);

  Status Publish(const Intent& intent, View* view, Deadline deadline);
  // The intent of a new failover or switchover, or the open one of that kind.
  Intent Begin(const char* kind, const char* step, const View& view) const;
  std::string Now() const;
  void Tell(const View& view, kube::EventType type, const char* reason, const std::string& message);

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  const PodHistory& history_;
  PatroniClient& patroni_;
  WritePathProbe& write_path_;
  const FailoverOptions options_;
  FailoverMetrics metrics_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<runtime::Request, std::shared_ptr<Memory>> memories_;  // guarded by mutex_; each used by one call at a time
};

}  // namespace holdfast::failover
