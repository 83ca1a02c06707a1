#include "service/settings_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "service/setting_rows.h"

namespace holdfast::service {
namespace {

constexpr std::int64_t kDay = 24 * kHour;

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
          Duration("backups.timeout", "1h", kSecond, 30 * kDay,
                   "How long it may take to make, verify or restore a backup. What was left half-written by a process "
                   "that ended is removed when it is older than this."),
          Flag("backups.verify", "true", "Read each backup again when it has been written."),
          Integer("stores.*.backup_keep_last", "7", 0, 100'000,
                  "How many of the newest backups of the store are kept. All three 0: nothing is removed. The newest "
                  "that was verified always stays."),
          Integer(
              "stores.*.backup_keep_days", "0", 0, 100'000,
              "Keep the newest of each of so many days (UTC), the last that have one, also beyond backup_keep_last."),
          Integer("stores.*.backup_keep_weeks", "0", 0, 100'000,
                  "Keep the newest of each of so many weeks (from Monday, UTC), likewise."),
          Duration("stores.*.backup_max_age", "0s", 0, 3'650 * kDay,
                   "The alert HoldfastBackupTooOld fires when the newest backup of the store is older; 0s = never."),
      });
}

void ReadBackups(const config::Settings& settings, ServiceSettings* result, std::vector<config::Problem>* problems) {
  backup::BackupOptions all;
  const std::string directory = settings.String("backups.directory");
  if (!directory.empty()) {
    all.directory = (std::filesystem::path(settings.String("data_dir")) / directory).string();
  }
  if (const std::string file = settings.String("backups.key_file"); !file.empty()) {
    auto key = backup::ReadKeyFile(file);
    if (key.ok()) {
      all.key = std::move(key).value();
    } else {
      problems->push_back({"setting backups.key_file", key.error().message()});
    }
  }
  all.create.object_bytes = static_cast<std::size_t>(settings.Bytes("backups.object_bytes"));
  all.rate = static_cast<std::uint64_t>(settings.Bytes("backups.rate"));
  all.timeout = settings.Duration("backups.timeout");
  all.verify = settings.Bool("backups.verify");
  const auto names = settings.Names("stores");
  for (StoreSettings& store : result->stores) {
    store.backups = all;
    store.backups.create.writer = store.checkpoints.writer;
    // Of stores that stand in the settings.
    if (std::find(names.begin(), names.end(), store.name) == names.end()) continue;
    const auto row = [&](std::string_view of) { return fmt::format("stores.{}.{}", store.name, of); };
    const auto count = [&](std::string_view of) { return static_cast<std::size_t>(settings.Integer(row(of))); };
    store.backups.retention = {count("backup_keep_last"), count("backup_keep_days"), count("backup_keep_weeks")};
    store.backups.max_age = settings.Duration(row("backup_max_age"));
  }
}

}  // namespace holdfast::service
