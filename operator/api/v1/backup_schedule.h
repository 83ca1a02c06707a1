// spec.backups.schedules and status.backupSchedules of a StorageCluster: when a store is backed up, and what has come
// of it. Nothing here throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time/clock.h"
#include "operator/api/v1/field.h"

namespace holdfast::api {

inline constexpr char kBackupSchedulesStatus[] = "backupSchedules";
// On the StorageBackup of a tick.
inline constexpr char kBackupScheduleLabel[] = "storage.holdfast.dev/backup-schedule";  // the schedule's name
inline constexpr char kScheduledAtAnnotation[] = "storage.holdfast.dev/scheduled-at";   // the tick

struct BackupSchedule {
  std::string name;
  std::string store;
  std::string schedule;   // cron; not checked further than its form
  std::string time_zone;  // likewise
  std::string kind;       // as StorageBackups have them, this and the next two
  bool drill = false;
  std::string deadline;
  std::optional<std::chrono::microseconds> starting_deadline = {};  // nothing = however late
  bool suspend = false;
  std::size_t successful_history = 0;  // at least 1, as is the next
  std::size_t failed_history = 0;
};

// What is known of a schedule, all of it but `name` written by the operator.
struct BackupScheduleStatus {
  std::string name;
  std::string schedule = {};                 // the ticks that the rest is about: "0 3 * * * Europe/Berlin"
  std::optional<Timestamp> since = {};       // when it began, was changed or was resumed: earlier ticks do not count
  std::optional<Timestamp> seen_up_to = {};  // the last tick that was seen to, or `since`
  std::optional<Timestamp> last_schedule = {};
  std::optional<Timestamp> last_successful = {};
  std::optional<Timestamp> next_schedule = {};
  std::string active = {};  // the StorageBackup that is under way
  bool suspended = false;
  bool healthy = true;
  std::string reason = {};
  std::string message = {};

  friend bool operator==(const BackupScheduleStatus&, const BackupScheduleStatus&) = default;
};

Field BackupSchedulesField();
Field BackupScheduleStatuses();
// Of the spec.
Rule BackupSchedulesNameStoresRule();

// Of a StorageCluster that was validated, with defaults. They are no part of StorageClusterSpec: what objects are built
// from does not know them, so that no change of one can restart a pod.
std::vector<BackupSchedule> ReadBackupSchedules(const Json& cluster_object);
// Of the status; what makes no sense is left out.
std::vector<BackupScheduleStatus> BackupScheduleStatusesOf(const Json& cluster_object);
Json BackupScheduleStatusesToJson(const std::vector<BackupScheduleStatus>& schedules);

}  // namespace holdfast::api
