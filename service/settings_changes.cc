#include "service/settings_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "service/setting_rows.h"

namespace holdfast::service {
namespace {

// Why the store cannot have a change log; empty: it can.
std::string ProblemOf(const StoreSettings& store) {
  if (store.backups.directory.empty() && !store.backups.s3) {
    return "there is nowhere to put it; name a folder in backups.directory or a server in backups.s3.endpoint";
  }
  if (store.failover || store.replicas || store.move || store.write_queue) {
    return "cannot be had beside failover, replicas, migrate_to or a write queue; leave one out";
  }
  return "";
}

}  // namespace

void AddChanges(std::vector<config::Setting>* rows) {
  rows->insert(
      rows->end(),
      {
          Flag("stores.*.change_archive", "false",
               "Ship every change of the store beside its backups, so that it can be restored to any moment since the "
               "first backup made with it (holdfast backup restore --to-time). Of a store in memory the changes that "
               "were "
               "not shipped end with the process."),
          Duration("backups.change_archive_interval", "1m", kSecond, 24 * kHour,
                   "Changes are shipped this often: what a lost disk takes of them at most."),
          Bytes("backups.change_archive_segment_bytes", "8Mi", 64 * kKi, 256 * kMi,
                "Keys and values of one object of a change log; more are shipped at once as several. What was written "
                "in one transaction is never cut."),
          Bytes("backups.change_archive_buffer", "64Mi", kMi, 64 * kGi,
                "memory, postgres, redis: changes of a store that wait to be shipped at most, in a Redis Cluster an "
                "equal share of it in each part; beyond it they are lost to its change log, which says so. What is "
                "written within change_archive_interval has to fit."),
          Bytes(
              "backends.*.archived_log_size", "1Gi", kMi, 1024 * kGi,
              "rocksdb with change_archive: old write-ahead logs that are kept at most. Changes that were not shipped "
              "when theirs was removed are lost to the change log, which says so."),
      });
}

void ReadChangesOfStores(const config::Settings& settings, ServiceSettings* result,
                         std::vector<config::Problem>* problems) {
  const auto names = settings.Names("stores");
  for (StoreSettings& store : result->stores) {
    backup::ChangeArchiveOptions& changes = store.backups.changes;
    changes.interval = settings.Duration("backups.change_archive_interval");
    changes.segment_bytes = static_cast<std::size_t>(settings.Bytes("backups.change_archive_segment_bytes"));
    changes.buffer_bytes = static_cast<std::size_t>(settings.Bytes("backups.change_archive_buffer"));
    if (std::find(names.begin(), names.end(), store.name) == names.end()) continue;
    const std::string row = fmt::format("stores.{}.change_archive", store.name);
    changes.on = settings.Bool(row);
    if (!changes.on) continue;
    const auto backend = std::find_if(result->backends.begin(), result->backends.end(),
                                      [&store](const BackendSettings& one) { return one.name == store.backend; });
    if (backend == result->backends.end()) continue;  // which has been said
    if (std::string problem = ProblemOf(store); !problem.empty()) {
      problems->push_back({"setting " + row, std::move(problem)});
      continue;
    }
    if (auto* const rocksdb = std::get_if<storage::RocksDbOptions>(&backend->options)) {
      const auto given = settings.Names("backends");
      const bool named = std::find(given.begin(), given.end(), backend->name) != given.end();
      constexpr std::uint64_t kDefault = std::uint64_t{1} << 30;  // of the one backend that nobody has named
      rocksdb->archived_log_size =
          named ? settings.Bytes(fmt::format("backends.{}.archived_log_size", backend->name)) : kDefault;
    }
  }
}

}  // namespace holdfast::service
