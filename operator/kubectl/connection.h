// What all verbs have in common: which API server, which namespace, which cluster.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result/result.h"
#include "operator/cli/flags.h"
#include "operator/kube/client.h"
#include "operator/kubectl/commands.h"

namespace holdfast::kubectl {

// The lines of --help about CommonFlags.
inline constexpr char kCommonUsage[] = R"(
  -n, --namespace NAME   the cluster's namespace (default: that of the kubeconfig's context)
  --kubeconfig FILE      which kubeconfig (default: KUBECONFIG, then ~/.kube/config)
  --context NAME         which of its contexts (default: the current one)
  --server URL           an API server that asks for no credentials, such as `holdfast-operator local`'s
)";

struct Common {
  std::string ns;
  std::string kubeconfig;
  std::string context;
  std::string server;
  std::vector<std::string> names;  // what is no flag
};

// Takes CommonFlags, `flags` and at most `most_names` names out of `arguments`, in any order; what is wrong is printed.
std::optional<Common> Parse(const std::string& command, const Arguments& arguments, std::vector<cli::Flag> flags,
                            std::size_t most_names, const Streams& streams);

struct Connection {
  std::shared_ptr<kube::Client> client;
  std::string ns;  // asked for, or the context's
};
Result<Connection> Connect(const Common& common);

// Prints it as `command: error` and gives the exit status.
int Fail(const std::string& command, const Error& error, const Streams& streams);

// For all requests of one verb.
Deadline VerbDeadline();

}  // namespace holdfast::kubectl
