// Brings one StorageRestore to its end: reads everything, decides (restore_decision.h), writes the status, and tells
// the service, once. The write that says it may have been told is of this version of the object only, so that of two
// operators one tells it.
#pragma once

#include "operator/controllers/storagebackup/restore_decision.h"
#include "operator/controllers/storagebackup/run_reconciler.h"

namespace holdfast::storagebackup {

class RestoreReconciler : public RunReconciler {
 public:
  RestoreReconciler(Surroundings surroundings, const RunOptions& options);

 protected:
  Result<runtime::Outcome> Step(const kube::Json& object, Deadline deadline) override;

 private:
  // Finds out which backup is meant, unless it is that of a time, which the service knows.
  Status FindBackup(RestoreFacts* facts, Deadline deadline) const;
  void AskAround(const service_access::Reached& service, RestoreFacts* facts, Deadline deadline) const;
  Status Tell(const kube::Json& object, const RestoreVerdict& verdict, const api::StorageRestoreSpec& spec,
              const service_access::Reached& service, Deadline deadline);
  // Absent: not known, which keeps nobody from going on.
  std::optional<Restorable> TimesOf(const api::StorageRestoreSpec& spec, const service_access::Reached& service,
                                    Deadline deadline) const;
};

}  // namespace holdfast::storagebackup
