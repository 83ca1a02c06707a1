#include "operator/api/v1/backup_schedule.h"

#include <algorithm>
#include <utility>

#include "base/time/duration.h"
#include "operator/api/v1/cron_fields.h"
#include "operator/api/v1/custom_object.h"
#include "operator/api/v1/name_fields.h"
#include "operator/api/v1/run_fields.h"

namespace holdfast::api {
namespace {

constexpr std::size_t kMaximumSchedules = 16;
constexpr std::size_t kMaximumName = 40;
constexpr std::int64_t kMaximumHistory = 100;
constexpr char kSchedules[] = "schedules";
constexpr char kStartingDeadline[] = "startingDeadline";
constexpr char kSuccessfulHistory[] = "successfulHistoryLimit";
constexpr char kFailedHistory[] = "failedHistoryLimit";

Field History(const char* name, std::int64_t by_default, const char* description) {
  return {.name = name,
          .type = FieldType::kInteger,
          .description = description,
          .default_value = by_default,
          .minimum = 1,
          .maximum = kMaximumHistory};
}

}  // namespace

Field BackupSchedulesField() {
  Field schedule = {
      .description = "One schedule, of one store.",
      .fields = {
          StorageNameField("name", "What its StorageBackups are called after.", kMaximumName),
          RunStoreField("The store that is backed up."),
          CronField("schedule", "The ticks, in cron's words: each has one StorageBackup."),
          TimeZoneField(),
          BackupKindField(),
          BackupDrillField(),
          RunDeadlineField("How long a backup may take, from its tick's StorageBackup on and with all waiting; what is "
                           "not done then has failed."),
          {.name = kStartingDeadline,
           .type = FieldType::kDuration,
           .description = "A tick that is later than this when it can be begun is given up. When absent, the last of "
                          "those that were missed is made up for however late it is.",
           .minimum_duration = "10s"},
          {.name = "suspend",
           .type = FieldType::kBoolean,
           .description = "No backups until it is false again. Ticks that pass meanwhile are not made up for.",
           .default_value = false},
          History(kSuccessfulHistory, 7, "StorageBackups that are kept of those that succeeded."),
          History(kFailedHistory, 3, "StorageBackups that are kept of those that failed.")}};
  for (Field& field : schedule.fields) {
    if (field.name == "schedule") field.required = true;
  }
  return {.name = kSchedules,
          .type = FieldType::kList,
          .description =
              "When the operator makes StorageBackups by itself. One that is given or changed begins with "
              "its next tick. A change restarts nothing.",
          .max_items = kMaximumSchedules,
          .list_key = "name",
          .items = {std::move(schedule)}};
}

Field BackupScheduleStatuses() {
  Field schedule = {
      .fields = {
          {.name = "name", .type = FieldType::kString, .description = "The schedule's name.", .required = true},
          RunText("schedule", "The ticks and the time zone that the rest is about."),
          RunTime("since", "When it began, was changed or was resumed; earlier ticks do not count."),
          RunTime("seenUpTo", "The last tick that was seen to: begun, skipped or given up."),
          RunTime("lastScheduleTime", "The last tick that has a StorageBackup."),
          RunTime("lastSuccessfulTime", "When the newest one that succeeded was whole."),
          RunTime("nextScheduleTime", "The next tick; absent while it is suspended."),
          RunText("active", "The StorageBackup that is under way; absent while none is."),
          {.name = "suspended", .type = FieldType::kBoolean, .description = "Whether it is suspended."},
          {.name = "healthy", .type = FieldType::kBoolean, .description = "What BackupHealthy says, of this schedule."},
          RunText("reason", "Why, in one word for programs."),
          RunText("message", "Why, in a sentence for people.")}};
  return {.name = kBackupSchedulesStatus,
          .type = FieldType::kList,
          .description = "Of each schedule of backups: when it was and will be, and what came of it.",
          .max_items = kMaximumSchedules,
          .list_key = "name",
          .items = {std::move(schedule)}};
}

Rule BackupSchedulesNameStoresRule() {
  return {.cel =
              "!has(self.backups) || !has(self.backups.schedules) || self.backups.schedules.all(b, "
              "self.stores.exists(s, s.name == b.store))",
          .message = "store of every schedule of backups must be the name of an entry of spec.stores",
          .broken_at =
              [](const Json& self, const Json*) {
                std::vector<std::string> broken;
                const Json& stores = self.at("stores");
                const Json schedules = self.value("backups", Json::object()).value(kSchedules, Json::array());
                for (std::size_t i = 0; i < schedules.size(); ++i) {
                  const Json& wanted = schedules[i].at("store");
                  const bool there = std::any_of(stores.begin(), stores.end(),
                                                 [&](const Json& store) { return store.at("name") == wanted; });
                  if (!there) broken.push_back("backups.schedules[" + std::to_string(i) + "].store");
                }
                return broken;
              },
          .field_path = ".backups"};
}

std::vector<BackupSchedule> ReadBackupSchedules(const Json& cluster_object) {
  static const Json::json_pointer pointer("/spec/backups/schedules");
  static const Field field = BackupSchedulesField();
  std::vector<BackupSchedule> schedules;
  if (!cluster_object.contains(pointer)) return schedules;
  Json list = cluster_object.at(pointer);
  ApplyDefaults(field, list);
  for (const Json& each : list) {
    BackupSchedule schedule{.name = TextOf(each, "name"),
                            .store = TextOf(each, "store"),
                            .schedule = TextOf(each, "schedule"),
                            .time_zone = TextOf(each, "timeZone"),
                            .kind = TextOf(each, "kind"),
                            .drill = each.at("drill").get<bool>(),
                            .deadline = TextOf(each, "deadline"),
                            .suspend = each.at("suspend").get<bool>(),
                            .successful_history = static_cast<std::size_t>(NumberOf(each, kSuccessfulHistory)),
                            .failed_history = static_cast<std::size_t>(NumberOf(each, kFailedHistory))};
    const auto starting_deadline = ParseDuration(TextOf(each, kStartingDeadline));
    if (starting_deadline.ok()) schedule.starting_deadline = *starting_deadline;
    schedules.push_back(std::move(schedule));
  }
  return schedules;
}

std::vector<BackupScheduleStatus> BackupScheduleStatusesOf(const Json& cluster_object) {
  static const Json::json_pointer pointer(std::string("/status/") + kBackupSchedulesStatus);
  std::vector<BackupScheduleStatus> schedules;
  if (!cluster_object.contains(pointer) || !cluster_object.at(pointer).is_array()) return schedules;
  for (const Json& each : cluster_object.at(pointer)) {
    if (TextOf(each, "name").empty()) continue;
    schedules.push_back({.name = TextOf(each, "name"),
                         .schedule = TextOf(each, "schedule"),
                         .since = TimeOf(each, "since"),
                         .seen_up_to = TimeOf(each, "seenUpTo"),
                         .last_schedule = TimeOf(each, "lastScheduleTime"),
                         .last_successful = TimeOf(each, "lastSuccessfulTime"),
                         .next_schedule = TimeOf(each, "nextScheduleTime"),
                         .active = TextOf(each, "active"),
                         .suspended = each.value("suspended", Json()) == true,
                         .healthy = each.value("healthy", Json()) == true,
                         .reason = TextOf(each, "reason"),
                         .message = TextOf(each, "message")});
  }
  return schedules;
}

Json BackupScheduleStatusesToJson(const std::vector<BackupScheduleStatus>& schedules) {
  Json list = Json::array();
  for (const BackupScheduleStatus& each : schedules) {
    Json row = {{"name", each.name}, {"suspended", each.suspended}, {"healthy", each.healthy}};
    PutText("schedule", each.schedule, &row);
    PutTime("since", each.since, &row);
    PutTime("seenUpTo", each.seen_up_to, &row);
    PutTime("lastScheduleTime", each.last_schedule, &row);
    PutTime("lastSuccessfulTime", each.last_successful, &row);
    PutTime("nextScheduleTime", each.next_schedule, &row);
    PutText("active", each.active, &row);
    PutText("reason", each.reason, &row);
    PutText("message", each.message, &row);
    list.push_back(std::move(row));
  }
  return list;
}

}  // namespace holdfast::api
