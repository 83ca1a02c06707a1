#include <ostream>

#include "base/time/clock.h"
#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/kubectl/status_report.h"
#include "operator/kubectl/status_screen.h"

namespace holdfast::kubectl {
namespace {

using kube::Json;

constexpr char kCommand[] = "kubectl holdfast status";

constexpr char kUsage[] = R"(usage: kubectl holdfast status [NAME] [FLAGS]

With NAME: everything about that StorageCluster on one screen: conditions, backends, pods, the last events, and what a
person should look at. Without: a line for each StorageCluster of the namespace. Exit status 0 also when one is not well.

  -o, --output FORMAT    screen, or json (default: screen)
  -A, --all-namespaces   the clusters of all namespaces
)";

int StatusOfOne(const Connection& connection, const std::string& name, bool as_json, const Streams& streams) {
  const auto report = ReportCluster(*connection.client, {connection.ns, name}, VerbDeadline());
  if (!report.ok()) return Fail(kCommand, report.error(), streams);
  streams.out << (as_json ? report->dump(2) + "\n" : ScreenOf(*report, SystemClock().Now()));
  return 0;
}

int StatusOfAll(const Connection& connection, bool all, bool as_json, const Streams& streams) {
  const auto reports = ReportClusters(*connection.client, all ? "" : connection.ns, VerbDeadline());
  if (!reports.ok()) return Fail(kCommand, reports.error(), streams);
  if (as_json) {
    streams.out << Json(*reports).dump(2) << "\n";
  } else if (reports->empty()) {
    streams.error << "there is no StorageCluster" << (all ? "" : " in namespace " + connection.ns) << "\n";
  } else {
    streams.out << TableOf(*reports, all, SystemClock().Now());
  }
  return 0;
}

}  // namespace

int RunStatus(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kUsage << kCommonUsage;
    return 0;
  }
  std::string output = "screen";
  bool all = false;
  const auto common = Parse(
      kCommand, arguments,
      {cli::TextFlag({"-o", "--output"}, &output), cli::SwitchFlag({"-A", "--all-namespaces"}, &all)}, 1, streams);
  if (!common) return 2;
  if (output != "screen" && output != "json") {
    streams.error << kCommand << ": --output is screen or json, not " << output << "\n";
    return 2;
  }
  const auto connection = Connect(*common);
  if (!connection.ok()) return Fail(kCommand, connection.error(), streams);
  const bool as_json = output == "json";
  if (common->names.empty()) return StatusOfAll(*connection, all, as_json, streams);
  return StatusOfOne(*connection, common->names.front(), as_json, streams);
}

}  // namespace holdfast::kubectl
