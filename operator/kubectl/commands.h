// The verbs of `kubectl holdfast`. Each takes its own arguments (without program and verb) and returns the exit status:
// 0 done, 1 it failed, 2 it was asked wrongly. What is asked for goes to `out`, everything else to `error`.
#pragma once

#include <string>
#include <vector>

#include "operator/cli/commands.h"

namespace holdfast::kubectl {

using cli::Arguments;
using cli::Streams;

int RunStatus(const Arguments& arguments, const Streams& streams);
int RunPlan(const Arguments& arguments, const Streams& streams);
int RunSwitchover(const Arguments& arguments, const Streams& streams);
int RunPause(const Arguments& arguments, const Streams& streams);
int RunResume(const Arguments& arguments, const Streams& streams);
int RunBackup(const Arguments& arguments, const Streams& streams);
int RunRestore(const Arguments& arguments, const Streams& streams);
// Does not return when it succeeds: the process goes on as `kubectl logs`.
int RunLogs(const Arguments& arguments, const Streams& streams);

// `kubectl logs` for the pods of a cluster, as a command for execvp.
struct LogsRequest {
  std::string ns = {};
  std::string cluster = {};
  std::string kubeconfig = {};
  std::string context = {};
  std::string server = {};
  std::string since = {};
  int tail = 100;
  bool follow = false;
  bool previous = false;
};
std::vector<std::string> LogsCommand(const LogsRequest& request);

}  // namespace holdfast::kubectl
