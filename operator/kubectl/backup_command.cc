#include <ostream>

#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/kubectl/run_verb.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr char kCommand[] = "kubectl holdfast backup";

constexpr char kUsage[] = R"(usage: kubectl holdfast backup CLUSTER --store STORE [FLAGS]
       kubectl holdfast backup [CLUSTER] --list [FLAGS]

Has the operator make a backup of a store of the StorageCluster CLUSTER, where its spec.backups says: it makes a
StorageBackup, and the service writes the backup, reads it again and compares.

  --store STORE          the store
  --kind KIND            full, or incremental: what has changed since the newest verified backup (default: full)
  --drill                restore it beside the store as well, and compare what came of it
)";

RunVerb Verb() {
  return {.command = kCommand,
          .kind = kube::kinds::kStorageBackup,
          .columns = {"PHASE", "KIND", "ENTRIES", "BYTES", "ID"},
          .cells = [](const Json& object) -> std::vector<std::string> {
            const Json status = object.value("status", Json::object());
            const auto number = [&](const char* name) { return status.contains(name) ? status.at(name).dump() : "-"; };
            return {status.value("phase", "Pending"), status.value("kind", "-"), number("entries"), number("bytes"),
                    status.value("id", "-")};
          }};
}

}  // namespace

int RunBackup(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kUsage << kRunUsage << kCommonUsage;
    return 0;
  }
  RunFlags flags;
  std::string kind = "full";
  bool drill = false;
  std::vector<cli::Flag> all = flags.Flags();
  all.push_back(cli::TextFlag({"--kind"}, &kind));
  all.push_back(cli::SwitchFlag({"--drill"}, &drill));
  const auto common = Parse(kCommand, arguments, std::move(all), 1, streams);
  if (!common) return 2;
  const std::string cluster = common->names.empty() ? "" : common->names.front();
  if (!flags.list && (cluster.empty() || flags.store.empty())) {
    streams.error << kCommand << ": name a StorageCluster and its store: backup CLUSTER --store STORE; or --list\n";
    return 2;
  }
  if (kind != "full" && kind != "incremental") {
    streams.error << kCommand << ": --kind is full or incremental, not " << kind << "\n";
    return 2;
  }
  const auto connection = Connect(*common);
  if (!connection.ok()) return Fail(kCommand, connection.error(), streams);
  if (flags.list) return ListRuns(Verb(), *connection, cluster, streams);
  const Json spec = {{"kind", kind == "full" ? "Full" : "Incremental"}, {"drill", drill}};
  return BeginRun(Verb(), *connection, cluster, flags, spec, streams);
}

}  // namespace holdfast::kubectl
