// Watches one Redis backend with sentinels: asks all of these every other second, and says in the StorageCluster's
// status who is the master, who is in step with it, and whether they fail over. Changes nothing in the cluster itself.
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
#include "operator/sentinel/sentinel_client.h"

namespace holdfast::sentinel {

struct SentinelOptions {
  std::chrono::milliseconds interval{2'000};        // between two looks
  std::chrono::milliseconds answer_timeout{1'500};  // of each sentinel
  std::chrono::milliseconds reconcile_timeout{10'000};
  // Of the passwords and certificates, which are read again earlier when too few sentinels answer.
  std::chrono::milliseconds secrets_lifetime{300'000};
  // So many looks in which too few answer, until that is told.
  int patience = 3;
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
  };

  // All references outlive the reconciler.
  SentinelReconciler(kube::Client& client, kube::EventRecorder& events,
                     std::function<Copies(const std::string& ns)> copies_of, SentinelClient& sentinels,
                     const SentinelOptions& options, metrics::Registry& registry, const Clock& clock);

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
  };
  // A backend of the cluster's specification.
  struct Watched {
    std::string ns;
    std::string cluster;
    const api::BackendSpec* backend = nullptr;
  };

  std::shared_ptr<Memory> MemoryOf(const runtime::Request& request);
  void Forget(const runtime::Request& request);
  Status ReadSecrets(const Watched& watched, Memory* memory, Deadline deadline) const;
  // Of those that answer.
  std::vector<Report> AskAll(const Watched& watched, Memory* memory, Deadline deadline) const;
  // A server that has not come up yet is named by the sentinels all the same.
  bool IsReady(const Watched& watched, const std::string& pod) const;
  void Tell(const kube::Json& cluster, const std::optional<View>& before, const View& after);

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  SentinelClient& sentinels_;
  const SentinelOptions options_;
  metrics::Counter& failovers_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<runtime::Request, std::shared_ptr<Memory>> memories_;  // guarded by mutex_; each used by one call at a time
};

}  // namespace holdfast::sentinel
