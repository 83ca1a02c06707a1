// Puts one Redis Cluster together and keeps it so: asks all of its servers every other second, tells them what they do
// not know by themselves (decision.h), and says in the StorageCluster's status which shards there are, who their
// masters are, and whether every slot is served.
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
#include <vector>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"
#include "operator/shards/shard_client.h"
#include "operator/shards/slot_plan.h"
#include "operator/shards/view.h"

namespace holdfast::shards {

struct ShardOptions {
  std::chrono::milliseconds interval{2'000};        // between two looks
  std::chrono::milliseconds busy_interval{500};     // while something was just told
  std::chrono::milliseconds answer_timeout{1'500};  // of each server
  std::chrono::milliseconds reconcile_timeout{15'000};
  // Of the passwords and certificates, which are read again earlier when too few servers answer.
  std::chrono::milliseconds secrets_lifetime{300'000};
  // A shard without a master counts as lost after so long, though a replica of it answers; beyond the node timeout.
  std::chrono::milliseconds lost_after{30'000};
  TransferLimits transfer;  // what the spec does not say of them
  // So many looks in which too few answer, until that is told.
  int patience = 3;
};

// A request names a backend: {namespace, "<cluster>/<backend>"}. Of a pod of a server, by its labels.
std::optional<runtime::Request> RequestOfPod(const kube::Json& pod);

class ShardReconciler : public runtime::Reconciler {
 public:
  // What informers know of a namespace.
  struct Copies {
    const kube::Lister* clusters = nullptr;
    const kube::Lister* servers = nullptr;  // pods
  };

  // All references outlive the reconciler.
  ShardReconciler(kube::Client& client, kube::EventRecorder& events,
                  std::function<Copies(const std::string& ns)> copies_of, ShardClient& servers,
                  const ShardOptions& options, metrics::Registry& registry, const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  struct Secrets {
    std::string authority;
    std::string password;
    bool begun = false;
    MonotonicTime read{};
  };
  struct Memory {
    std::optional<Secrets> secrets;
    int silent_looks = 0;
    std::optional<MonotonicTime> unserved_since;
  };
  // A backend of the cluster's specification.
  struct Watched {
    std::string ns;
    const api::StorageCluster* cluster = nullptr;
    const api::BackendSpec* backend = nullptr;
  };

  std::shared_ptr<Memory> MemoryOf(const runtime::Request& request);
  Result<runtime::Outcome> StopWatching(const runtime::Request& request, const kube::Json* object);
  Status ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const;
  // Of those beyond that the spec asks for too, as long as they have pods.
  std::vector<Endpoint> Endpoints(const Watched& watched, const Secrets& secrets) const;
  bool HasPodsBeyond(const Watched& watched) const;
  // Of those that answer.
  std::vector<Report> AskAll(const std::vector<Endpoint>& endpoints, Deadline deadline) const;
  void TellAll(const std::vector<Command>& commands, const std::vector<Endpoint>& endpoints, const Watched& watched,
               Deadline deadline) const;
  void MoveSlots(const SlotPlan& plan, const Facts& facts, const std::vector<Endpoint>& endpoints,
                 const Watched& watched, const TransferLimits& limits) const;
  // Those beyond have nothing left that anybody needs: says so on the StatefulSet, and in an event.
  Status LetGo(const kube::Json& cluster, const Watched& watched, Deadline deadline);
  // Whether it has lasted, by the memory.
  View Weigh(View view, const Watched& watched, Memory* memory) const;
  void Announce(const kube::Json& cluster, const std::optional<View>& before, const View& after);

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  ShardClient& servers_;
  const ShardOptions options_;
  metrics::Counter& changes_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<runtime::Request, std::shared_ptr<Memory>> memories_;  // guarded by mutex_; each used by one call at a time
};

}  // namespace holdfast::shards
