// Watches one Redis backend with sentinels: asks all of these every other second, and says in the StorageCluster's
// status who is the master, who is in step with it, and whether they fail over. Has the sentinels replace a master that
// is known to have ended (hasten_decision.h), replaces the servers, one after the other, when their pod template has
// changed (rollout_decision.h), and lets servers go when fewer are wanted (scale_decision.h).
//
// Level-based: each call asks anew and takes at most one step. That a sentinel is told stands in status.failover before
// it is, so that nobody who comes after a crash tells another as well.
//
// At rest it asks the API server nothing.
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
#include "operator/api/v1/storage_cluster.h"
#include "operator/failover/intent.h"
#include "operator/failover/pod_history.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"
#include "operator/sentinel/hasten_decision.h"
#include "operator/sentinel/rollout_decision.h"
#include "operator/sentinel/scale_decision.h"
#include "operator/sentinel/sentinel_client.h"

namespace holdfast::sentinel {

struct SentinelOptions {
  std::chrono::milliseconds interval{2'000};        // between two looks
  std::chrono::milliseconds busy_interval{500};     // while a failover or a rolling change is under way
  std::chrono::milliseconds answer_timeout{1'500};  // of each sentinel
  std::chrono::milliseconds reconcile_timeout{10'000};
  // Of the passwords and certificates, which are read again earlier when too few sentinels answer.
  std::chrono::milliseconds secrets_lifetime{300'000};
  // So many looks in which too few answer, until that is told.
  int patience = 3;
  HastenLimits hasten;
  // By how much of the replication stream a replica in step may be behind.
  std::uint64_t close_bytes = std::uint64_t{1} << 20;
  // With a server of the former template that does not get in step.
  std::chrono::milliseconds rollout_patience{600'000};
};

// A request names a backend: {namespace, "<cluster>/<backend>"}. Of a pod of a server or sentinel, by its labels.
std::optional<runtime::Request> RequestOfPod(const kube::Json& pod);

class SentinelReconciler : public runtime::Reconciler {
 public:
  // What informers know of a namespace.
  struct Copies {
    const kube::Lister* clusters = nullptr;
    const kube::Lister* servers = nullptr;    // pods
    const kube::Lister* sentinels = nullptr;  // pods
    const kube::Lister* sets = nullptr;       // StatefulSets of the servers
  };

  // All references outlive the reconciler.
  SentinelReconciler(kube::Client& client, kube::EventRecorder& events,
                     std::function<Copies(const std::string& ns)> copies_of, const failover::PodHistory& history,
                     SentinelClient& sentinels, const SentinelOptions& options, metrics::Registry& registry,
                     const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  struct Secrets {
    std::string authority;
    std::string password;
    MonotonicTime read{};
  };
  struct Memory {
    std::optional<Secrets> secrets;
    int silent_looks = 0;
    // Which pod was the master when it was last seen to serve, and in which container.
    std::string served_by;
    std::string served_container;
    // Why a master that has ended is left to the sentinels, so that a change is logged once.
    std::string left_because;
    // Whom a rolling change waits for, and since when.
    std::optional<std::pair<std::string, MonotonicTime>> rollout_wait;
  };
  // A backend of the cluster's specification.
  struct Watched {
    kube::ObjectKey cluster;
    std::string uid;  // of the cluster
    const api::BackendSpec* backend = nullptr;
    std::int64_t servers = 0;  // that there are: also those that are to go
    bool halted = false;       // nothing may be done to it
    bool hands_off = false;    // nor may the sentinels be told anything
  };
  // Of one sentinel that answers.
  struct Answer {
    Endpoint sentinel;
    Report report;
  };
  // What one call has found.
  struct Look {
    const Watched& watched;
    Memory& memory;
    std::vector<Answer> answers;
    View view;
    std::optional<failover::Intent> intent;  // as of the copy
  };
  using Servers = std::map<std::string, ServerReport>;  // by pod; of those that answer
  using Pods = std::map<std::string, kube::Json>;       // by name

  std::shared_ptr<Memory> MemoryOf(const runtime::Request& request);
  void Forget(const runtime::Request& request);
  Status ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const;
  Result<runtime::Outcome> Watch(const Watched& watched, const kube::Json& object, Memory* memory, Deadline deadline);
  // Of those that answer.
  std::vector<Answer> AskAll(const Watched& watched, const Memory& memory, Deadline deadline) const;
  // Of all that there are.
  Servers AskServers(const Watched& watched, const Memory& memory, Deadline deadline) const;
  // Nothing while the pod has no address.
  std::optional<Endpoint> EndpointOf(const kube::ObjectPtr& pod, std::uint16_t port, const Memory& memory) const;
  // A server that has not come up yet is named by the sentinels all the same.
  bool IsReady(const Watched& watched, const std::string& pod) const;
  void Tell(const kube::Json& cluster, const std::optional<View>& before, const View& after);

  // Each: true when something is under way.
  Result<bool> Hasten(const Look& look, Deadline deadline);
  Result<bool> Roll(const Look& look, Deadline deadline);
  Result<bool> Scale(const Look& look, Deadline deadline);

  MasterEnd EndOf(const Look& look, const kube::Json* master) const;
  // One that would begin a failover begins it.
  Status TellSentinels(const Look& look, Deadline deadline);
  // Who is the master, whether one could follow, and that a failover is over.
  void Summarize(const Look& look, failover::Intent* intent) const;
  bool RolloutIsPending(const Watched& watched) const;
  bool ScaleIsPending(const Look& look) const;
  ScaleFacts FactsOfScale(const Look& look, const kube::Json& set, const Pods& pods, Deadline deadline) const;
  // What the step asks for, but for the waiting. An error: it may not have been done.
  Status TakeScaleStep(const Look& look, const ScaleStep& step, const kube::Json& set, const Pods& pods,
                       Deadline deadline);
  RolloutFacts FactsOfRollout(const Look& look, const Pods& pods, const std::string& revision, Deadline deadline) const;
  // Of the servers, from the API server.
  Result<Pods> ReadPods(const Watched& watched, Deadline deadline) const;
  // Makes the change in status.failover, of the object as it is now, unless the copy shows nothing to change. Returns
  // that object; null: nothing to change, or it is another cluster.
  using Change = std::function<void(failover::Intent*)>;
  Result<kube::Json> Publish(const Look& look, const Change& change, Deadline deadline);
  std::string Now() const;

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  const failover::PodHistory& history_;
  SentinelClient& sentinels_;
  const SentinelOptions options_;
  metrics::Counter& failovers_;
  metrics::Counter& hastened_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<runtime::Request, std::shared_ptr<Memory>> memories_;  // guarded by mutex_; each used by one call at a time
};

}  // namespace holdfast::sentinel
