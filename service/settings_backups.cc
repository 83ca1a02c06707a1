#include "service/settings_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "service/setting_rows.h"
#include "service/settings_backups_s3.h"

namespace holdfast::service {
namespace {

constexpr std::int64_t kDay = 24 * kHour;

std::optional<backup::ScheduleOptions> ReadSchedule(const config::Settings& settings, const std::string& store,
                                                    std::vector<config::Problem>* problems) {
  const auto row = [&store](std::string_view of) { return fmt::format("stores.{}.{}", store, of); };
  const std::string expression = settings.String(row("backup_schedule"));
  if (expression.empty()) return std::nullopt;
  const auto when = cron::Schedule::Parse(expression);
  if (!when.ok()) problems->push_back({"setting " + row("backup_schedule"), when.error().message()});
  const auto zone = cron::TimeZone::Load(settings.String(row("backup_time_zone")));
  if (!zone.ok()) problems->push_back({"setting " + row("backup_time_zone"), zone.error().message()});
  if (!when.ok() || !zone.ok()) return std::nullopt;
  return backup::ScheduleOptions{*when, *zone, settings.Duration(row("backup_jitter")),
                                 static_cast<std::size_t>(settings.Integer(row("backup_drill_every")))};
}

}  // namespace

void AddBackups(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text("backups.directory", "",
               "Folder of all backups, one below it for each store; relative to data_dir, where they would go with it: "
               "name another volume. Empty = there are no backups."),
          Text("backups.key_file", "",
               "File with the key that backups are encrypted with before they leave the service: 32 bytes, or 64 "
               "hexadecimal digits. Without it nobody can restore them. Empty = they are not encrypted."),
          Bytes("backups.object_bytes", "64Mi", 64 * kKi, kGi,
                "Largest object of a backup; a run holds one, or two where they are encrypted, in memory."),
          Bytes("backups.rate", "0", 0, 100 * kGi,
                "So many bytes a second at most to and from where backups lie; 0 = as fast as it goes."),
          Integer(
              "backups.work_percent", std::to_string(backup::kDefaultWorkPercent), 1, 100,
              "Share of the time in which the making and the verifying of a backup works; in the remainder it rests "
              "for those who use the store. Restores and drills never rest."),
          Duration("backups.timeout", "1h", kSecond, 30 * kDay,
                   "How long it may take to make, verify or restore a backup. What was left half-written by a process "
                   "that ended is removed when it is older than this."),
          Flag("backups.verify", "true", "Read each backup again when it has been written."),
          Integer("backups.max_increments", "30", 0, 255,
                  "Longest row of incremental backups behind a full one; the next one is a full one. A restore reads "
                  "all of them, with an object of each in memory. 0 = all are full."),
          Choice("backups.drill_scratch", "rocksdb", {"rocksdb", "memory"},
                 "What a drill (holdfast backup verify --drill) restores a backup into: a database of its own in "
                 "backups.drill_directory, or memory."),
          Text("backups.drill_directory", "drills",
               "Folder of those databases, relative to data_dir; with room for the largest store. What is in it is "
               "removed behind each drill and before the next."),
          Bytes("backups.drill_memory", "256Mi", kMi, 1024 * kGi,
                "Of backups.drill_scratch memory: how much of it a drill may take. A backup that needs more fails its "
                "drill with resource_exhausted."),
          Integer("stores.*.backup_keep_last", "7", 0, 100'000,
                  "How many of the newest backups of the store are kept. All three 0: nothing is removed. The newest "
                  "that was verified, and the newest that passed a drill, always stay."),
          Integer(
              "stores.*.backup_keep_days", "0", 0, 100'000,
              "Keep the newest of each of so many days (UTC), the last that have one, also beyond backup_keep_last."),
          Integer("stores.*.backup_keep_weeks", "0", 0, 100'000,
                  "Keep the newest of each of so many weeks (from Monday, UTC), likewise."),
          Duration("stores.*.backup_max_age", "0s", 0, 3'650 * kDay,
                   "The alert HoldfastBackupTooOld fires when the newest backup of the store is older; 0s = never."),
          Text("stores.*.backup_schedule", "",
               "When the service makes a backup of the store by itself: a cron expression of five fields as "
               "\"0 3 * * *\", or @hourly, @daily, @weekly, @monthly. Empty = when somebody asks."),
          Integer("stores.*.backup_full_every", "1", 1, 256,
                  "Of the backups of backup_schedule every so many is a full one, and those between are increments, "
                  "each on the newest verified one; never more than backups.max_increments. 1 = all are full."),
          Text("stores.*.backup_time_zone", "UTC", "IANA time zone of backup_schedule, as Europe/Berlin."),
          Duration("stores.*.backup_jitter", "0s", 0, 24 * kHour,
                   "Backups of backup_schedule begin up to so much later, the same for each tick in every instance."),
          Integer("stores.*.backup_drill_every", "0", 0, 100'000,
                  "Behind every so many backups of backup_schedule the newest one is restored into a scratch store and "
                  "compared; 0 = never."),
          Duration("stores.*.backup_drill_max_age", "0s", 0, 3'650 * kDay,
                   "The alert HoldfastBackupDrillTooOld fires when no backup of the store has passed a drill for so "
                   "long; 0s = never."),
      });
  AddBackupsS3(rows);
}

void ReadBackups(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems) {
  backup::BackupOptions all;
  const std::string directory = settings.String("backups.directory");
  if (!directory.empty()) {
    all.directory = (std::filesystem::path(settings.String("data_dir")) / directory).string();
  }
  all.s3 = ReadBackupsS3(settings, problems);
  if (const std::string file = settings.String("backups.key_file"); !file.empty()) {
    auto key = backup::ReadKeyFile(file);
    if (key.ok()) {
      all.key = std::move(key).value();
    } else {
      problems->push_back({"setting backups.key_file", key.error().message()});
    }
  }
  all.create.object_bytes = static_cast<std::size_t>(settings.Bytes("backups.object_bytes"));
  all.pace.rate = static_cast<std::uint64_t>(settings.Bytes("backups.rate"));
  all.pace.work_percent = static_cast<int>(settings.Integer("backups.work_percent"));
  all.timeout = settings.Duration("backups.timeout");
  all.verify = settings.Bool("backups.verify");
  all.max_increments = static_cast<std::size_t>(settings.Integer("backups.max_increments"));
  all.drill.in_memory = settings.String("backups.drill_scratch") == "memory";
  all.drill.directory =
      (std::filesystem::path(settings.String("data_dir")) / settings.String("backups.drill_directory")).string();
  all.drill.memory = settings.Bytes("backups.drill_memory");
  const auto names = settings.Names("stores");
  for (StoreSettings& store : result->stores) {
    store.backups = all;
    store.backups.create.writer = store.checkpoints.writer;
    // Of stores that stand in the settings.
    if (std::find(names.begin(), names.end(), store.name) == names.end()) continue;
    const auto row = [&](std::string_view of) { return fmt::format("stores.{}.{}", store.name, of); };
    const auto count = [&](std::string_view of) { return static_cast<std::size_t>(settings.Integer(row(of))); };
    store.backups.retention = {count("backup_keep_last"), count("backup_keep_days"), count("backup_keep_weeks")};
    store.backups.full_every = count("backup_full_every");
    store.backups.max_age = settings.Duration(row("backup_max_age"));
    store.backups.schedule = ReadSchedule(settings, store.name, problems);
    if (store.backups.schedule && directory.empty() && !all.s3) {
      problems->push_back({"setting " + row("backup_schedule"),
                           "there is nowhere to put backups; name a folder in backups.directory or a server in "
                           "backups.s3.endpoint"});
    }
    store.backups.drill_max_age = settings.Duration(row("backup_drill_max_age"));
  }
}

}  // namespace holdfast::service
