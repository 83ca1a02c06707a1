// kubectl has streaming, credentials and colours already: logs are its own, for the right pods.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ostream>

#include "operator/kubectl/commands.h"
#include "operator/kubectl/connection.h"
#include "operator/resources/names.h"

namespace holdfast::kubectl {
namespace {

constexpr char kCommand[] = "kubectl holdfast logs";
constexpr int kMostLines = 1'000'000;
// kubectl follows five pods at once unless told otherwise; a cluster may have more.
constexpr char kMostPods[] = "64";

constexpr char kUsage[] = R"(usage: kubectl holdfast logs NAME [FLAGS]

Prints the logs of all pods of the StorageCluster NAME, each line after its pod and container, by way of `kubectl logs`.

  -f, --follow           go on printing what comes
  -p, --previous         of the containers that ran before these
  --tail LINES           of each container the last so many lines; 0 is all of them (default: 100)
  --since DURATION       only what is younger, such as 10m
)";

}  // namespace

std::vector<std::string> LogsCommand(const LogsRequest& request) {
  std::vector<std::string> command{"kubectl", "logs", "--all-containers", "--prefix", "--ignore-errors"};
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) command.push_back(std::string(flag) + "=" + value);
  };
  command.push_back(std::string("--selector=") + resources::kClusterLabel + "=" + request.cluster);
  add("--namespace", request.ns);
  add("--kubeconfig", request.kubeconfig);
  add("--context", request.context);
  add("--server", request.server);
  add("--since", request.since);
  add("--tail", request.tail == 0 ? "-1" : std::to_string(request.tail));
  add("--max-log-requests", kMostPods);
  if (request.follow) command.emplace_back("--follow");
  if (request.previous) command.emplace_back("--previous");
  return command;
}

int RunLogs(const Arguments& arguments, const Streams& streams) {
  if (cli::WantsHelp(arguments)) {
    streams.out << kUsage << kCommonUsage;
    return 0;
  }
  LogsRequest request;
  const auto common = Parse(
      kCommand, arguments,
      {cli::SwitchFlag({"-f", "--follow"}, &request.follow), cli::SwitchFlag({"-p", "--previous"}, &request.previous),
       cli::NumberFlag({"--tail"}, 0, kMostLines, &request.tail), cli::TextFlag({"--since"}, &request.since)},
      1, streams);
  if (!common) return 2;
  if (common->names.empty()) {
    streams.error << kCommand << ": the name of a StorageCluster is missing; see --help\n";
    return 2;
  }
  request.cluster = common->names.front();
  request.ns = common->ns;
  request.kubeconfig = common->kubeconfig;
  request.context = common->context;
  request.server = common->server;
  std::vector<std::string> command = LogsCommand(request);
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  streams.out.flush();
  execvp(words.front(), words.data());
  streams.error << kCommand << ": kubectl cannot be started: " << std::strerror(errno) << "\n";
  return 1;
}

}  // namespace holdfast::kubectl
