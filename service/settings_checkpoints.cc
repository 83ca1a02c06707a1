#include "service/settings_checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "service/setting_rows.h"

namespace holdfast::service {
namespace {

constexpr std::int64_t kDay = 24 * kHour;

}  // namespace

void AddCheckpoints(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Text(
              "checkpoints.directory", "checkpoints",
              "Folder of all checkpoints, one below it for each store; relative to data_dir. Made with the first one."),
          Integer("checkpoints.threads", "2", 1, 16,
                  "Threads that compress a checkpoint while it is taken, and that decode and that write one while it "
                  "is restored."),
          Integer("checkpoints.level", "1", 1, 19, "Zstandard's level; higher is smaller and slower."),
          Flag("checkpoints.validate", "true", "Read each checkpoint again when it has been written."),
          Duration("checkpoints.min_interval", "0s", 0, kDay,
                   "A checkpoint that is asked for sooner behind another one is refused; 0s = never."),
          Duration("checkpoints.timeout", "10m", kSecond, kDay, "How long one that nobody waits for may take."),
          Duration("checkpoints.shutdown_timeout", "10s", kMillisecond, kHour,
                   "How long the one of checkpoint_at_shutdown may take."),
          Duration("checkpoints.start_wait", "10m", 0, kDay,
                   "How long a start waits for another instance that is restoring the store."),
          Duration("stores.*.checkpoint_interval", "0s", 0, 365 * kDay,
                   "Take a checkpoint of the store when the newest is as old as this; 0s = only when asked for."),
          Integer("stores.*.checkpoint_keep", "10", 1, 1'000,
                  "How many checkpoints of the store are kept. The newest that was validated always is."),
          Duration("stores.*.checkpoint_keep_for", "0s", 0, 3'650 * kDay,
                   "Remove checkpoints of the store that are older; 0s = of any age."),
          Flag("stores.*.checkpoint_at_shutdown", "false",
               "Take a last checkpoint when the service has answered its last request."),
      });
}

void ReadCheckpoints(const config::Settings& settings, ServiceSettings* result) {
  durability::CheckpointOptions& all = result->checkpoints;
  all.directory =
      (std::filesystem::path(settings.String("data_dir")) / settings.String("checkpoints.directory")).string();
  all.writer.threads = static_cast<int>(settings.Integer("checkpoints.threads"));
  all.writer.level = static_cast<int>(settings.Integer("checkpoints.level"));
  all.validate = settings.Bool("checkpoints.validate");
  all.min_interval = settings.Duration("checkpoints.min_interval");
  all.timeout = settings.Duration("checkpoints.timeout");
  all.shutdown_timeout = settings.Duration("checkpoints.shutdown_timeout");
  all.start_wait = settings.Duration("checkpoints.start_wait");
  for (StoreSettings& store : result->stores) {
    store.checkpoints = all;
    // Of stores that stand in the settings.
    const auto names = settings.Names("stores");
    if (std::find(names.begin(), names.end(), store.name) == names.end()) continue;
    const auto row = [&](std::string_view of) { return fmt::format("stores.{}.{}", store.name, of); };
    store.checkpoints.interval = settings.Duration(row("checkpoint_interval"));
    store.checkpoints.retention.keep = static_cast<std::size_t>(settings.Integer(row("checkpoint_keep")));
    store.checkpoints.retention.keep_for = settings.Duration(row("checkpoint_keep_for"));
    store.checkpoints.at_shutdown = settings.Bool(row("checkpoint_at_shutdown"));
  }
}

}  // namespace holdfast::service
