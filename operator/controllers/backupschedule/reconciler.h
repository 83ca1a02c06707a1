// Makes the StorageBackups of a StorageCluster's schedules, deletes those beyond their limits, and tells in the status
// how they are.
//
// Level-based: what is due follows from the status and the clock (decision.h). The copies only say whether there is
// anything to do; what is done is decided once more on what the API server itself says. First the StorageBackup, then
// the status that says so, of this version of the cluster only, then deletions: a crash between two of them leaves a
// name that is taken, or more to delete.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "base/time/clock.h"
#include "operator/controllers/backupschedule/decision.h"
#include "operator/kube/client.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::backupschedule {

struct ScheduleOptions {
  std::chrono::milliseconds longest_wait{60'000};  // between two looks at the clock, which may be set
  std::chrono::milliseconds retry_interval{500};   // when somebody else wrote the status
  std::chrono::milliseconds reconcile_timeout{45'000};
};

class ScheduleReconciler : public runtime::Reconciler {
 public:
  // What informers know of a namespace.
  struct Copies {
    const kube::Lister* clusters = nullptr;
    const kube::Lister* backups = nullptr;  // StorageBackups with kBackupScheduleLabel
  };

  // All references outlive the reconciler.
  ScheduleReconciler(kube::Client& client, kube::EventRecorder& events,
                     std::function<Copies(const std::string& ns)> copies_of, const ScheduleOptions& options,
                     const Clock& clock)
      : client_(client), events_(events), copies_of_(std::move(copies_of)), options_(options), clock_(clock) {}

  // Of a StorageCluster.
  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  Facts FactsOf(const api::StorageCluster& cluster, const kube::Json& object,
                const std::vector<kube::ObjectPtr>& backups) const;
  Result<runtime::Outcome> CarryOut(const kube::Json& object, const Facts& facts, Deadline deadline);
  // Also when it was made before.
  Status Make(const api::StorageCluster& cluster, const api::BackupSchedule& schedule, Timestamp tick,
              Deadline deadline);
  Status Remove(const std::string& ns, const SchedulePlan& plan, Deadline deadline);
  runtime::Outcome Wait(const Plan& plan) const;

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<Copies(const std::string& ns)> copies_of_;
  const ScheduleOptions options_;
  const Clock& clock_;
};

}  // namespace holdfast::backupschedule
