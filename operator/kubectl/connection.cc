#include "operator/kubectl/connection.h"

#include <algorithm>
#include <ostream>

#include "operator/kube/credentials.h"
#include "operator/kube/rest_client.h"

namespace holdfast::kubectl {
namespace {

constexpr std::chrono::seconds kVerbTimeout{30};

}  // namespace

std::optional<Common> Parse(const std::string& command, const Arguments& arguments, std::vector<cli::Flag> flags,
                            std::size_t most_names, const Streams& streams) {
  Common common;
  flags.push_back(cli::TextFlag({"-n", "--namespace"}, &common.ns));
  flags.push_back(cli::TextFlag({"--kubeconfig"}, &common.kubeconfig));
  flags.push_back(cli::TextFlag({"--context"}, &common.context));
  flags.push_back(cli::TextFlag({"--server"}, &common.server));
  Arguments flagged;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with('-')) {
      common.names.push_back(argument);
      continue;
    }
    flagged.push_back(argument);
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const cli::Flag& candidate) {
      return std::find(candidate.names.begin(), candidate.names.end(), argument) != candidate.names.end();
    });
    // Its value, which may look like anything.
    if (flag != flags.end() && !flag->is_switch && i + 1 < arguments.size()) flagged.push_back(arguments[++i]);
  }
  bool good = cli::ParseFlags(command, flagged, flags, streams.error);
  if (common.names.size() > most_names) {
    streams.error << command << ": " << common.names[most_names] << " is one name too many; see --help\n";
    good = false;
  }
  if (!good) return std::nullopt;
  return common;
}

Result<Connection> Connect(const Common& common) {
  kube::CredentialsQuery query;
  query.server = common.server;
  query.kubeconfig = common.kubeconfig;
  query.context = common.context;
  query.environment = kube::CredentialsEnvironment();
  HOLDFAST_ASSIGN_OR_RETURN(kube::Credentials credentials, kube::FindCredentials(query));
  Connection connection;
  connection.ns = common.ns.empty() ? credentials.ns : common.ns;
  kube::RestClientOptions options;
  options.credentials = std::move(credentials);
  options.user_agent = "kubectl-holdfast";
  HOLDFAST_ASSIGN_OR_RETURN(connection.client, kube::MakeRestClient(std::move(options)));
  return connection;
}

int Fail(const std::string& command, const Error& error, const Streams& streams) {
  streams.error << command << ": " << error.message() << "\n";
  return 1;
}

Deadline VerbDeadline() {
  return Deadline::After(kVerbTimeout);
}

}  // namespace holdfast::kubectl
