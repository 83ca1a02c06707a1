#include <ostream>

#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/kubectl/run_verb.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr char kCommand[] = "kubectl holdfast restore";

constexpr char kUsage[] = R"(usage: kubectl holdfast restore CLUSTER --store STORE --backup NAME | --id ID [FLAGS]
       kubectl holdfast restore [CLUSTER] --list [FLAGS]

Has the operator make a store of the StorageCluster CLUSTER what one of its backups holds, in place: it makes a
StorageRestore. What was written since the backup is gone then, but for the checkpoint that the status names (`undo`).

  --store STORE          the store
  --backup NAME          a StorageBackup that has succeeded
  --id ID                or a backup's own name, as `holdfast backup list` prints it
)";

RunVerb Verb() {
  return {.command = kCommand,
          .kind = kube::kinds::kStorageRestore,
          .columns = {"PHASE", "BACKUP", "RESTORED", "UNDO"},
          .cells = [](const Json& object) -> std::vector<std::string> {
            const Json status = object.value("status", Json::object());
            return {status.value("phase", "Pending"), status.value("id", "-"),
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
  std::vector<cli::Flag> all = flags.Flags();
  all.push_back(cli::TextFlag({"--backup"}, &backup));
  all.push_back(cli::TextFlag({"--id"}, &id));
  const auto common = Parse(kCommand, arguments, std::move(all), 1, streams);
  if (!common) return 2;
  const std::string cluster = common->names.empty() ? "" : common->names.front();
  if (!flags.list && (cluster.empty() || flags.store.empty() || backup.empty() == id.empty())) {
    streams.error
        << kCommand
        << ": name a StorageCluster, its store and one backup: restore CLUSTER --store STORE --backup NAME, or "
           "--id ID; `kubectl holdfast backup --list` shows what there is\n";
    return 2;
  }
  const auto connection = Connect(*common);
  if (!connection.ok()) return Fail(kCommand, connection.error(), streams);
  if (flags.list) return ListRuns(Verb(), *connection, cluster, streams);
  const Json spec = backup.empty() ? Json({{"backupId", id}}) : Json({{"backup", backup}});
  return BeginRun(Verb(), *connection, cluster, flags, spec, streams);
}

}  // namespace holdfast::kubectl
