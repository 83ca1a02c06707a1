// kubectl-holdfast: `kubectl holdfast` for people who look after StorageClusters.
#include <iostream>
#include <string>
#include <vector>

#include "base/log/log.h"
#include "operator/kubectl/commands.h"

namespace {

constexpr char kUsage[] = R"(usage: kubectl holdfast VERB [NAME] [FLAGS]

  status      how the clusters of a namespace are, or everything about one of them on a screen
  plan        what the operator would do: for a cluster as it is, or if a manifest were applied
  switchover  make another PostgreSQL server the primary, in order
  pause       let the operator change nothing of a cluster
  resume      let it go on
  backup      make a backup of a store, or list the backups that were asked for
  restore     make a store what one of its backups holds
  logs        the logs of all pods of a cluster
  version     print the version

Installed as kubectl-holdfast on the PATH, where kubectl finds it. Each verb explains itself with --help.
)";

}  // namespace

int main(int argc, char** argv) {
  namespace kubectl = holdfast::kubectl;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const kubectl::Streams streams{std::cin, std::cout, std::cerr};
  if (arguments.empty() || arguments.front() == "--help" || arguments.front() == "-h" || arguments.front() == "help") {
    std::cout << kUsage;
    return 0;
  }
  const std::string verb = arguments.front();
  arguments.erase(arguments.begin());
  holdfast::log::Options log_options;
  log_options.component = "kubectl-holdfast";
  log_options.level = holdfast::log::Level::kError;
  holdfast::log::Configure(log_options);
  if (verb == "status") return kubectl::RunStatus(arguments, streams);
  if (verb == "plan") return kubectl::RunPlan(arguments, streams);
  if (verb == "switchover") return kubectl::RunSwitchover(arguments, streams);
  if (verb == "pause") return kubectl::RunPause(arguments, streams);
  if (verb == "resume") return kubectl::RunResume(arguments, streams);
  if (verb == "backup") return kubectl::RunBackup(arguments, streams);
  if (verb == "restore") return kubectl::RunRestore(arguments, streams);
  if (verb == "logs") return kubectl::RunLogs(arguments, streams);
  if (verb == "version" || verb == "--version") {
    std::cout << "kubectl-holdfast " << holdfast::cli::Version() << "\n";
    return 0;
  }
  std::cerr << "kubectl-holdfast: there is no verb " << verb << "\n\n" << kUsage;
  return 2;
}
