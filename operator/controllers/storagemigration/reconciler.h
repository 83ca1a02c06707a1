// Brings one StorageMigration to its end: reads everything, decides (decision.h), writes the status, and does the one
// thing that is next. Each is done again by whoever comes after a crash, and none twice over: what was told to the
// service is seen in what it says.
//
// While a migration is under way the API server is read, and the service asked, every few seconds; one that is over
// costs nothing.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "base/metrics/metrics.h"
#include "base/time/clock.h"
#include "operator/controllers/storagemigration/gather.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::storagemigration {

struct MigrationOptions {
  std::chrono::milliseconds follow_interval{3'000};   // while the service is at work
  std::chrono::milliseconds step_interval{500};       // between two steps
  std::chrono::milliseconds person_interval{15'000};  // while somebody has to act
  std::chrono::milliseconds answer_timeout{5'000};    // of the service
  std::chrono::milliseconds reconcile_timeout{30'000};
  std::chrono::milliseconds tidying{30'000};  // Facts::tidying
};

class MigrationReconciler : public runtime::Reconciler {
 public:
  // All references outlive the reconciler. `copies_of` gives the copies of the StorageMigrations of a namespace.
  MigrationReconciler(kube::Client& client, kube::EventRecorder& events,
                      std::function<const kube::Lister&(const std::string& ns)> copies_of, ServiceClient& service,
                      const MigrationOptions& options, const Clock& clock);

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 private:
  struct Refusal {
    std::string uid;
    Act act = Act::kNone;
    std::string text;
  };

  Result<runtime::Outcome> ReportInvalid(const kube::Json& object, const std::string& why, Deadline deadline);
  Status Do(Act act, const kube::Json& object, const Gathered& gathered, Deadline deadline);
  Status Tell(Act act, const kube::Json& object, const Gathered& gathered, Deadline deadline);
  void AddRefusal(const runtime::Request& request, Facts* facts);
  void Announce(const kube::Json& object, const api::StorageMigrationStatus& before,
                const api::StorageMigrationStatus& after);
  runtime::Outcome OutcomeOf(Pace pace) const;

  kube::Client& client_;
  kube::EventRecorder& events_;
  const std::function<const kube::Lister&(const std::string& ns)> copies_of_;
  ServiceClient& service_;
  const MigrationOptions options_;
  const Clock& clock_;
  const Gatherer gatherer_;
  std::mutex mutex_;
  std::map<runtime::Request, Refusal> refusals_;  // guarded by mutex_
};

}  // namespace holdfast::storagemigration
