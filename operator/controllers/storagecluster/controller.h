// Brings one StorageCluster to what its spec asks for.
//
// Every reconcile goes the same way: look at the informers' copies; when they show nothing to do and a status that
// says so, stop (a cluster at rest costs no request). Otherwise read everything again from the server, decide on that,
// act, and write the status. Each write stands on its own target, so a crash between any two is one more reconcile.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/controllers/storagecluster/observed.h"
#include "operator/controllers/storagecluster/status.h"
#include "operator/controllers/storagecluster/tls_references.h"
#include "operator/controllers/storagecluster/volume_watch.h"
#include "operator/kube/events.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::storagecluster {

struct ControllerConfig {
  std::string service_image = "holdfast";  // the program gives the one of its own version
  std::string postgres_image = "holdfast-postgres:15";
  std::string redis_image = "holdfast-redis:7";
  int workers = 4;
  // Empty = all namespaces.
  std::vector<std::string> namespaces;
  // All requests of one reconcile together.
  std::chrono::milliseconds reconcile_timeout{30'000};
  // Failures that pass by themselves are told in the log only; those of one cluster that last longer, in its status.
  std::chrono::milliseconds failure_patience{60'000};
  VolumeWatchOptions volumes;
  // Who is asked about volumes that grow by themselves; nullptr = nobody, and what is said of them stays as it is.
  std::shared_ptr<VolumeProbe> volume_probe = nullptr;
};

class ClusterReconciler : public runtime::Reconciler {
 public:
  // `copies_of` gives the informers' copies for a namespace. All arguments outlive the reconciler.
  ClusterReconciler(kube::Client& client, kube::EventRecorder& events,
                    std::function<const Copies&(const std::string& ns)> copies_of, const ControllerConfig& config,
                    const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  Result<runtime::Outcome> ReconcileLive(const Json& cluster_object, Deadline deadline);
  Result<runtime::Outcome> ReconcileInvalid(const Json& cluster_object, const std::vector<api::FieldError>& errors,
                                            Deadline deadline);
  // The API server does not let us see what we have to see, or carries out nothing; says so in the status.
  Result<runtime::Outcome> ReportTrouble(const Json& cluster_object, const api::StorageCluster& cluster,
                                         Problem trouble, Deadline deadline);
  // Keeps in mind since when reconciles of a cluster have failed, and tells of it in the status when that lasts.
  void NoteFailure(const Json& cluster_object, const Error& error);
  void NoteSuccess(const runtime::Request& request);
  Result<runtime::Outcome> ReconcilePaused(const Json& cluster_object, Deadline deadline);
  // From the copies alone: nothing is written that a stale one could harm.
  Findings FindWhilePaused(const Json& cluster_object) const;
  Result<runtime::Outcome> FinalizeCluster(const Json& cluster_object, Deadline deadline);
  Result<runtime::Outcome> ReleaseCluster(const Json& cluster_object, const std::vector<std::string>& retained_claims,
                                          Deadline deadline);
  // Whether deletion has to wait because the policy says so.
  Result<bool> DeletionIsBlocked(const Json& cluster_object, Deadline deadline);
  std::vector<resources::DesiredObject> Desired(const api::StorageCluster& cluster, const Observed& observed) const;
  bool CopiesAreSettled(const Json& cluster_object);
  std::optional<Growth> LookAtVolumes(const api::StorageCluster& cluster, const Observed& observed, bool anew);
  // Lets the volumes grow that are due. Last, since nothing depends on it: what is refused here leaves the cluster as
  // ready as it was.
  Status GrowVolumes(const Json& cluster_object, bool may_act, Findings* findings, Deadline deadline);
  // What a cluster that needs nothing waits for.
  runtime::Outcome AtRest(const Json& cluster_object) const;
  void RecordTransitions(const Json& before, const Json& after);
  void RecordPrimaries(const Json& before, const Json& after);

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<const Copies&(const std::string& ns)> copies_of_;
  const ControllerConfig config_;
  const Clock& clock_;
  VolumeWatch volumes_;
  TlsReferences references_;
  std::mutex mutex_;
  std::map<kube::ObjectKey, MonotonicTime> failing_since_;  // guarded by mutex_
};

}  // namespace holdfast::storagecluster
