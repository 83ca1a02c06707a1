// pause, resume and switchover: each is an annotation that the operator obeys.
#include <ostream>

#include "operator/api/v1/annotations.h"
#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr char kPauseUsage[] = R"(usage: kubectl holdfast pause NAME [FLAGS]

Lets the operator change nothing of the StorageCluster NAME until `resume`: nothing is made, changed or deleted, nothing
fails over, a deletion waits. What runs goes on running, and the status goes on telling how it is.
)";

constexpr char kResumeUsage[] = R"(usage: kubectl holdfast resume NAME [FLAGS]

Lets the operator go on with the StorageCluster NAME; what waited is done then (`kubectl holdfast plan NAME` shows it).
)";

constexpr char kSwitchoverUsage[] = R"(usage: kubectl holdfast switchover NAME [--to POD] [FLAGS]

Makes another PostgreSQL server of the StorageCluster NAME the primary, in order: no acknowledged write is lost. The
operator carries it out; events and the status tell how it went.

  --to POD               the server that becomes the primary (default: the standby that is best)
)";

bool HasPostgres(const Json& cluster) {
  static const Json::json_pointer backends("/spec/backends");
  if (!cluster.contains(backends)) return false;
  for (const Json& backend : cluster.at(backends)) {
    if (backend.contains("postgres") && !backend.at("postgres").contains("external")) return true;
  }
  return false;
}

struct Annotation {
  const char* verb;
  const char* usage;
  const char* name;
  const char* done;  // "paused"
};

// null = take the annotation off.
int Annotate(const Annotation& what, const Common& common, const Json& value, const Streams& streams,
             bool needs_postgres) {
  const std::string command = std::string("kubectl holdfast ") + what.verb;
  if (common.names.empty()) {
    streams.error << command << ": the name of a StorageCluster is missing; see --help\n";
    return 2;
  }
  const auto connection = Connect(common);
  if (!connection.ok()) return Fail(command, connection.error(), streams);
  const kube::ObjectKey key{connection->ns, common.names.front()};
  const Deadline deadline = VerbDeadline();
  const auto cluster = connection->client->Get(kube::kinds::kStorageCluster, key, deadline);
  if (!cluster.ok()) return Fail(command, cluster.error(), streams);
  if (needs_postgres && !HasPostgres(*cluster)) {
    streams.error << command << ": StorageCluster " << key.ToString()
                  << " has no PostgreSQL servers of its own, so there is no primary to change\n";
    return 1;
  }
  // The uid: what was asked of this cluster is not done to its successor of the same name.
  const Json patch = {{"metadata", {{"uid", kube::UidOf(*cluster)}, {"annotations", {{what.name, value}}}}}};
  const auto patched = connection->client->MergePatch(kube::kinds::kStorageCluster, key, patch, deadline);
  if (!patched.ok()) return Fail(command, patched.error(), streams);
  streams.out << "StorageCluster " << key.ToString() << " " << what.done << "\n";
  return 0;
}

}  // namespace

int RunPause(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kPauseUsage << kCommonUsage;
    return 0;
  }
  const auto common = Parse("kubectl holdfast pause", arguments, {}, 1, streams);
  if (!common) return 2;
  return Annotate({"pause", kPauseUsage, api::kPausedAnnotation, "paused"}, *common, "true", streams, false);
}

int RunResume(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kResumeUsage << kCommonUsage;
    return 0;
  }
  const auto common = Parse("kubectl holdfast resume", arguments, {}, 1, streams);
  if (!common) return 2;
  return Annotate({"resume", kResumeUsage, api::kPausedAnnotation, "resumed"}, *common, Json(nullptr), streams, false);
}

int RunSwitchover(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kSwitchoverUsage << kCommonUsage;
    return 0;
  }
  std::string to;
  const auto common = Parse("kubectl holdfast switchover", arguments, {cli::TextFlag({"--to"}, &to)}, 1, streams);
  if (!common) return 2;
  return Annotate({"switchover", kSwitchoverUsage, api::kSwitchoverAnnotation, "is asked to switch over"}, *common, to,
                  streams, true);
}

}  // namespace holdfast::kubectl
