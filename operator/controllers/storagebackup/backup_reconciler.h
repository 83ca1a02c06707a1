// Brings one StorageBackup to its end: reads everything, decides (backup_decision.h), writes the status, and asks the
// service for what is next. Whoever goes on after a crash asks for the same backup.
#pragma once

#include "operator/controllers/storagebackup/backup_decision.h"
#include "operator/controllers/storagebackup/run_reconciler.h"

namespace holdfast::storagebackup {

class BackupReconciler : public RunReconciler {
 public:
  BackupReconciler(Surroundings surroundings, const RunOptions& options);

 protected:
  Result<runtime::Outcome> Step(const kube::Json& object, Deadline deadline) override;

 private:
  Status Ask(const kube::Json& object, const BackupVerdict& verdict, const api::StorageBackupSpec& spec,
             const service_access::Reached& service, Deadline deadline);
};

}  // namespace holdfast::storagebackup
