// What is to be done for the schedules of a StorageCluster's backups, and how they are: a pure function of what is
// known.
//
// A tick is seen to once: it gets its StorageBackup, is skipped because the schedule's former one is under way, or is
// given up because it is too late. What was seen to stands in the status (seenUpTo), and only the last tick behind it
// counts, so that of many that were missed one is made up for. Whoever goes on after a crash makes the StorageBackup of
// the same name, which the API server takes once.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/v1/backup_schedule.h"
#include "operator/api/v1/storage_cluster.h"
#include "operator/controllers/backupschedule/scheduled_backup.h"

namespace holdfast::backupschedule {

// So far ahead of the clock the last tick may be when the clock was set back: its ticks are waited for and not seen to
// again. Beyond it the clock was wrong before, and is believed now: otherwise there would be no backups until then.
inline constexpr std::chrono::hours kMaxSetBack{24};

struct Facts {
  const api::StorageCluster& cluster;
  std::vector<api::BackupSchedule> schedules;
  bool quiet = false;  // paused or hibernated: nothing is begun, deleted or judged
  std::vector<api::BackupScheduleStatus> known;
  std::vector<ScheduledBackup> backups;
  Timestamp now{};
};

// Something to tell once.
struct News {
  bool warning = false;
  std::string reason;  // CamelCase
  std::string message;
};

struct SchedulePlan {
  const api::BackupSchedule& schedule;  // of the facts
  api::BackupScheduleStatus status;     // as it is once everything below was done
  std::optional<Timestamp> make = {};   // a StorageBackup for that tick
  std::vector<ScheduledBackup> remove = {};
  std::optional<News> news = {};
};

struct Plan {
  std::vector<SchedulePlan> schedules;      // in the order of the spec
  std::optional<Timestamp> next_tick = {};  // the first of all

  std::vector<api::BackupScheduleStatus> Statuses() const;
  // Something is to be done, but for what the status says.
  bool HasWork() const;
};

Plan Decide(const Facts& facts);

}  // namespace holdfast::backupschedule
