// holdfast-operator: watches StorageClusters and makes the cluster match them.
#include <iostream>
#include <string>
#include <vector>

#include "operator/cli/commands.h"

namespace {

constexpr char kUsage[] = R"(usage: holdfast-operator [COMMAND] [FLAGS]

  run      watch StorageClusters and make the cluster match them (the default)
  plan     print every object that a manifest leads to, without a cluster
  local    run StorageClusters on this machine, without Kubernetes
  crd      print the CustomResourceDefinition, or the field reference
  rbac     print what the operator has to be allowed
  version  print the version

Each command explains itself with --help.
)";

}  // namespace

int main(int argc, char** argv) {
  namespace cli = holdfast::cli;
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const cli::Streams streams{std::cin, std::cout, std::cerr};
  const std::string first = arguments.empty() ? "run" : arguments.front();
  if (first == "--help" || first == "-h" || first == "help") {
    std::cout << kUsage;
    return 0;
  }
  if (first == "version" || first == "--version") {
    std::cout << "holdfast-operator " << cli::Version() << "\n";
    return 0;
  }
  if (first.starts_with('-')) return cli::RunOperator(arguments, streams);
  if (!arguments.empty()) arguments.erase(arguments.begin());
  if (first == "run") return cli::RunOperator(arguments, streams);
  if (first == "plan") return cli::RunPlan(arguments, streams);
  if (first == "local") return cli::RunLocal(arguments, streams);
  if (first == "crd") return cli::RunCrd(arguments, streams);
  if (first == "rbac") return cli::RunRbac(arguments, streams);
  std::cerr << "holdfast-operator: there is no command " << first << "\n\n" << kUsage;
  return 2;
}
