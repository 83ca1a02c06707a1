// What the verbs `backup` and `restore` have in common: each makes an object that the operator brings to its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time/deadline.h"
#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"

namespace holdfast::kubectl {

// The lines of --help about these flags.
inline constexpr char kRunUsage[] =
    R"(  --name NAME            what the object is called (default: of cluster, store and time)
  --deadline DURATION    how long it may take with all waiting (default: 2h)
  --wait                 come back when it is over; exit status 1 when it has failed
  --timeout DURATION     with --wait: come back all the same (default: 3h)
  --list                 a line for each that there is, of CLUSTER when it is named
)";

struct RunVerb {
  std::string command;  // "kubectl holdfast backup"
  kube::ResourceKind kind;
  std::vector<std::string> columns;  // of --list, behind the object's name, cluster and store
  std::function<std::vector<std::string>(const kube::Json& object)> cells;
};

struct RunFlags {
  std::string store;
  std::string name;
  std::string deadline;
  std::string timeout = "3h";
  bool wait = false;
  bool list = false;

  std::vector<cli::Flag> Flags();
};

int ListRuns(const RunVerb& verb, const Connection& connection, const std::string& cluster, const Streams& streams);
// Makes the object with `spec`, beside cluster, store and deadline; and waits for its end with flags.wait.
int BeginRun(const RunVerb& verb, const Connection& connection, const std::string& cluster, const RunFlags& flags,
             kube::Json spec, const Streams& streams);

}  // namespace holdfast::kubectl
