#include "operator/kube/credentials.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/files/read_file.h"
#include "operator/kube/server_url.h"

namespace holdfast::kube {
namespace {

constexpr std::size_t kCaMaxBytes = 1u << 20;

std::string Lookup(const CredentialsQuery& query, const std::string& name) {
  const auto found = query.environment.find(name);
  return found == query.environment.end() ? std::string() : found->second;
}

bool Exists(const std::string& path) {
  std::error_code ignored;  // a path that cannot be looked at is reported when it is opened
  return std::filesystem::exists(path, ignored);
}

// The first file of the list that exists; its first entry when none does, so that the error names a path.
std::string FirstOfList(const std::string& list) {
  std::string first;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    std::string path = list.substr(begin, end - begin);
    if (!path.empty() && Exists(path)) return path;
    if (first.empty()) first = path;
    begin = end + 1;
  }
  return first;
}

}  // namespace

std::map<std::string, std::string> CredentialsEnvironment() {
  std::map<std::string, std::string> environment;
  for (const char* name : {"KUBECONFIG", "HOME", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}) {
    if (const char* value = std::getenv(name)) environment.emplace(name, value);
  }
  return environment;
}

Result<Credentials> InClusterCredentials(const CredentialsQuery& query, const Clock& clock) {
  const std::string host = Lookup(query, "KUBERNETES_SERVICE_HOST");
  const std::string port = Lookup(query, "KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return Error(ErrorCode::kNotFound,
                 "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not both set");
  }
  Credentials credentials;
  // The HTTP library takes no IPv6 literals; the API server's certificate holds this name in every cluster.
  const bool ipv6 = host.find(':') != std::string::npos;
  credentials.base_url = "https://" + (ipv6 ? std::string("kubernetes.default.svc") : host) + ":" + port;
  const std::string& directory = query.service_account_directory;
  const std::string hint = "the pod's service account (is automountServiceAccountToken off?)";
  auto token = OpenTokenFile(directory + "/token", clock);
  if (!token.ok()) return std::move(token).error().WithContext(hint);
  credentials.token = std::move(token).value();
  auto ca = files::ReadFile(directory + "/ca.crt", kCaMaxBytes);
  if (!ca.ok()) return std::move(ca).error().WithContext(hint);
  credentials.ca_pem = std::move(ca).value();
  if (auto ns = files::ReadFile(directory + "/namespace", 256); ns.ok() && !ns->empty()) {
    credentials.ns = ns->substr(0, ns->find_first_of("\r\n"));
  }
  credentials.source = "service account in " + directory;
  return credentials;
}

Result<Credentials> FindCredentials(const CredentialsQuery& query, const Clock& clock) {
  if (!query.server.empty()) {
    HOLDFAST_ASSIGN_OR_RETURN(ServerUrl url, ParseServerUrl(query.server));
    Credentials credentials;
    credentials.base_url = std::move(url.base);
    credentials.path_prefix = std::move(url.path);
    credentials.source = "server " + query.server;
    return credentials;
  }
  if (!query.kubeconfig.empty()) return LoadKubeconfig(query.kubeconfig, query.context, clock);
  if (const std::string list = Lookup(query, "KUBECONFIG"); !list.empty()) {
    return LoadKubeconfig(FirstOfList(list), query.context, clock).WithContext("KUBECONFIG");
  }
  if (!Lookup(query, "KUBERNETES_SERVICE_HOST").empty()) return InClusterCredentials(query, clock);
  const std::string home = Lookup(query, "HOME");
  const std::string standard = home + "/.kube/config";
  if (!home.empty() && Exists(standard)) return LoadKubeconfig(standard, query.context, clock);
  return Error(ErrorCode::kNotFound,
               "no Kubernetes credentials: no server or kubeconfig given, KUBECONFIG is not set, this is no pod "
               "(KUBERNETES_SERVICE_HOST is not set) and there is no " +
                   (home.empty() ? std::string("~/.kube/config") : standard));
}

}  // namespace holdfast::kube
