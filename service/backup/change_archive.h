// The change log of a store beside its backups: shipping it, what times the store can be restored to, and what of it no
// backup needs any more.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/backup/catalogue.h"
#include "service/backup/change_log.h"
#include "service/backup/change_shipper.h"
#include "service/backup/create.h"
#include "service/storage/periodic_task.h"
#include "service/storage/store_backups.h"

namespace holdfast::backup {

// Where the log lies, and what it is made of.
struct ChangePlace {
  std::shared_ptr<Target> target;
  std::shared_ptr<storage::ChangeHistory> history;  // null: nothing is shipped, what was shipped before can be restored
};

// Thread-safe.
class ChangeArchive {
 public:
  // `clock` and `registry` outlive it.
  ChangeArchive(ChangePlace place, const std::string& store, const std::string& kind, const BackupOptions& options,
                const Clock& clock, metrics::Registry& registry);

  const ChangeLog& log() const { return log_; }
  // Ships each interval from now on, first when one has passed.
  void Start();
  // Ships what there is once more. Idempotent.
  void Stop();

  // For a backup that is begun behind this call; nullopt: it cannot be brought to a time, and the log says why.
  std::optional<ChangeMark> Mark(Deadline deadline);
  // The backup to begin with, as StoreBackups::BeginRestoreTo. `all`: the newest last.
  Result<std::string> BaseFor(Timestamp to, const std::string& id, const std::vector<StoredBackup>& all) const;
  // Before the log is read: it reaches up to now, if the target can be written.
  void ShipNow(Deadline deadline);
  Result<std::optional<storage::RestoreWindow>> Window(const std::vector<StoredBackup>& all, Deadline deadline) const;
  // Removes the segments that none of them needs, but the last one, and but those written within `fresh`: others may
  // make a backup that needs them.
  Status Prune(const std::vector<StoredBackup>& all, std::chrono::microseconds fresh, Deadline deadline);
  void Observe(const std::vector<StoredBackup>& all, Deadline deadline);

 private:
  void ShipDue();
  // Of several instances one ships by itself, the others look how far it is.
  Result<Shipped> ShipIfOurs(Deadline deadline);

  const std::string store_;
  const std::shared_ptr<storage::ChangeHistory> history_;
  const ChangeArchiveOptions options_;
  const Clock& clock_;
  const ChangeLog log_;
  std::unique_ptr<ChangeShipper> shipper_;  // null: nothing is shipped
  metrics::Gauge* restorable_ = nullptr;    // likewise
  bool failing_ = false;                    // touched by ships_ only: a lasting failure is logged once
  std::unique_ptr<storage::PeriodicTask> ships_;
};

}  // namespace holdfast::backup
