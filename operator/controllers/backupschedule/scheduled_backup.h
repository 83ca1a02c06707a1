// The StorageBackup of a tick: what it is called, what it looks like, and what one that is there tells. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/time/clock.h"
#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/kube/object.h"

namespace holdfast::backupschedule {

// "demo-nightly-20261123t0300z-9f86d081": cluster and schedule as far as they fit, the tick in UTC, and a hash of the
// cluster's uid and the schedule, so that neither another cluster nor another schedule ever means the same name. At
// most 61 characters.
std::string BackupNameOf(const api::StorageCluster& cluster, const std::string& schedule, Timestamp tick);

// Belongs to the cluster: it goes with it, and the backup stays where it is.
kube::Json MakeBackup(const api::StorageCluster& cluster, const api::BackupSchedule& schedule, Timestamp tick);

// One that is there.
struct ScheduledBackup {
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string schedule;
  Timestamp tick{};
  bool going = false;  // it is being deleted
  bool over = false;
  bool succeeded = false;
  std::string reason = {};  // of a failure, as is the next
  std::string message = {};
  std::optional<Timestamp> completed = {};  // when the backup was whole
};

// Nothing: this cluster's schedules have not made it.
std::optional<ScheduledBackup> ScheduledBackupOf(const kube::Json& object, const std::string& cluster_uid);

}  // namespace holdfast::backupschedule
