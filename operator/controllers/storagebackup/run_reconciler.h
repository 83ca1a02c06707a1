// What the reconcilers of StorageBackups and StorageRestores have in common: an object that is over costs nothing; of
// one that is not the API server is read, and the service asked, every few seconds.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/controllers/storagebackup/service_client.h"
#include "operator/controllers/storagebackup/verdict.h"
#include "operator/kube/client.h"
#include "operator/kube/events.h"
#include "operator/kube/informer.h"
#include "operator/runtime/reconciler.h"

namespace holdfast::storagebackup {

struct RunOptions {
  std::chrono::milliseconds follow_interval{3'000};   // while the service is at work
  std::chrono::milliseconds step_interval{500};       // between two steps
  std::chrono::milliseconds person_interval{15'000};  // while somebody has to act
  std::chrono::milliseconds answer_timeout{10'000};   // of the service
  std::chrono::milliseconds reconcile_timeout{45'000};
};

// What every reconciler of them needs; all outlive it.
struct Surroundings {
  kube::Client& client;
  kube::EventRecorder& events;
  // The copies of the objects of a namespace.
  std::function<const kube::Lister&(const std::string& ns)> copies_of;
  ServiceClient& service;
  const Clock& clock;
};

class RunReconciler : public runtime::Reconciler {
 public:
  RunReconciler(const kube::ResourceKind& kind, Surroundings surroundings, const RunOptions& options)
      : kind_(kind), around_(std::move(surroundings)), options_(options) {}

  Result<runtime::Outcome> Reconcile(const runtime::Request& request, std::stop_token stop) override;

 protected:
  // Of an object that is not over, as the API server has it.
  virtual Result<runtime::Outcome> Step(const kube::Json& object, Deadline deadline) = 0;

  // Its whole status, of this version of the object only. An event says what has become of it.
  Result<kube::Json> WriteStatus(const kube::Json& object, const kube::Json& status, Deadline deadline);
  // The members of `changes` in the status; null takes one away.
  Status PatchStatus(const kube::Json& object, const kube::Json& changes, Deadline deadline);
  // The API server takes no such spec, so it is an older one's.
  Result<runtime::Outcome> ReportInvalid(const kube::Json& object, const std::string& why, Deadline deadline);
  runtime::Outcome OutcomeOf(Pace pace) const;
  // For one call of the service.
  Deadline Patience(Deadline deadline) const { return Deadline::After(options_.answer_timeout).Sooner(deadline); }

  // What the service said when it was asked last and refused.
  std::optional<std::string> RefusalOf(const kube::Json& object);
  void NoteRefusal(const kube::Json& object, std::optional<std::string> refusal);

  const kube::ResourceKind kind_;
  const Surroundings around_;
  const RunOptions options_;

 private:
  void Announce(const kube::Json& object, const kube::Json& before);

  std::mutex mutex_;
  std::map<std::string, std::string> refusals_;  // by uid; guarded by mutex_
};

}  // namespace holdfast::storagebackup
