#include <ostream>

#include "base/time/duration.h"
#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/kubectl/run_verb.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr char kCommand[] = "kubectl holdfast restore";

constexpr char kUsage[] =
    R"(usage: kubectl holdfast restore CLUSTER --store STORE --backup NAME | --id ID | --to-time TIME [FLAGS]
       kubectl holdfast restore [CLUSTER] --list [FLAGS]

Has the operator make a store of the StorageCluster CLUSTER what one of its backups holds, or what it was at a time, in
place: it makes a StorageRestore. What was written since is gone then, but for the checkpoint that the status names
(`undo`).

  --store STORE          the store
  --backup NAME          a StorageBackup that has succeeded
  --id ID                or a backup's own name, as `holdfast backup list` prints it
  --to-time TIME         or a time (RFC 3339, as 2026-11-23T10:15:30.250Z), of a store with changeArchive
  --source-store STORE   the backup, or the time, is that of STORE in another StorageCluster, whose backups lie where
                         spec.backups.source of CLUSTER says; they are only read
)";

RunVerb Verb() {
  return {.command = kCommand,
          .kind = kube::kinds::kStorageRestore,
          .columns = {"PHASE", "BACKUP", "TO", "RESTORED", "UNDO"},
          .cells = [](const Json& object) -> std::vector<std::string> {
            const Json status = object.value("status", Json::object());
            const std::string to = kube::StringAt(object, "/spec/toTime");
            return {status.value("phase", "Pending"), status.value("id", "-"), to.empty() ? "-" : to,
                    status.contains("restored") ? status.at("restored").dump() : "-", status.value("undo", "-")};
          }};
}

}  // namespace

int RunRestore(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kUsage << kRunUsage << kCommonUsage;
    return 0;
  }
  RunFlags flags;
  std::string backup;
  std::string id;
  std::string to_time;
  std::string source_store;
  std::vector<cli::Flag> all = flags.Flags();
  all.push_back(cli::TextFlag({"--backup"}, &backup));
  all.push_back(cli::TextFlag({"--id"}, &id));
  all.push_back(cli::TextFlag({"--to-time"}, &to_time));
  all.push_back(cli::TextFlag({"--source-store"}, &source_store));
  const auto common = Parse(kCommand, arguments, std::move(all), 1, streams);
  if (!common) return 2;
  const std::string cluster = common->names.empty() ? "" : common->names.front();
  const auto given =
      static_cast<int>(!backup.empty()) + static_cast<int>(!id.empty()) + static_cast<int>(!to_time.empty());
  if (!flags.list && (cluster.empty() || flags.store.empty() || given != 1)) {
    streams.error
        << kCommand
        << ": name a StorageCluster, its store and one backup, or a time: restore CLUSTER --store STORE --backup NAME, "
           "or --id ID, or --to-time TIME; `kubectl holdfast backup --list` shows what there is\n";
    return 2;
  }
  if (const auto time = ParseTimestamp(to_time); !to_time.empty() && !time.ok()) {
    streams.error << kCommand << ": --to-time " << time.error().message() << "\n";
    return 2;
  }
  const auto connection = Connect(*common);
  if (!connection.ok()) return Fail(kCommand, connection.error(), streams);
  if (flags.list) return ListRuns(Verb(), *connection, cluster, streams);
  Json spec = Json::object();
  if (!backup.empty()) spec["backup"] = backup;
  if (!id.empty()) spec["backupId"] = id;
  if (!to_time.empty()) spec["toTime"] = to_time;
  if (!source_store.empty()) spec["sourceStore"] = source_store;
  return BeginRun(Verb(), *connection, cluster, flags, spec, streams);
}

}  // namespace holdfast::kubectl
