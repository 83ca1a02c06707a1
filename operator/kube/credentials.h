// Where the API server is and how to prove who we are.
//
// Understood of a kubeconfig: clusters (server with an optional path, certificate-authority[-data],
// insecure-skip-tls-verify), users (client-certificate[-data], client-key[-data], token, tokenFile), contexts with
// their namespace. Relative paths count from the file's own folder. What would change the meaning of a request and is
// not understood (exec and auth-provider plugins, passwords, impersonation, proxies, tls-server-name) is refused with
// its name, never ignored. Lists in KUBECONFIG are not merged: the first file that exists is used.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result/result.h"
#include "base/time/clock.h"
#include "operator/kube/token_source.h"

namespace holdfast::kube {

struct Credentials {
  std::string base_url;     // "https://10.0.0.1:6443"
  std::string path_prefix;  // "/k8s/clusters/c-1" behind some proxies, usually empty; no trailing slash
  std::string ca_pem;       // empty = the system's authorities
  std::string client_certificate_pem;
  std::string client_key_pem;
  bool insecure_skip_tls_verify = false;
  std::shared_ptr<TokenSource> token;  // nullptr = none
  std::string ns = "default";          // of the context, or of the pod
  std::string source;                  // for people: "kubeconfig ~/.kube/config, context kind"
};

// What credentials are looked for with. The environment is handed in, so that a test need not change its own.
struct CredentialsQuery {
  std::string server;                              // a plain "http://127.0.0.1:8001": no credentials at all
  std::string kubeconfig;                          // a path
  std::string context;                             // empty = current-context
  std::map<std::string, std::string> environment;  // KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT
  std::string service_account_directory = "/var/run/secrets/kubernetes.io/serviceaccount";
};

// The process's environment, as far as FindCredentials looks at it.
std::map<std::string, std::string> CredentialsEnvironment();

// In this order: `server`, `kubeconfig`, KUBECONFIG, the pod's service account, ~/.kube/config. The first that is
// there is used, or its error is reported; a broken one never falls through to another cluster. kNotFound, naming what
// was tried, when there is none.
Result<Credentials> FindCredentials(const CredentialsQuery& query, const Clock& clock = SystemClock());

Result<Credentials> LoadKubeconfig(const std::string& path, const std::string& context,
                                   const Clock& clock = SystemClock());
Result<Credentials> InClusterCredentials(const CredentialsQuery& query, const Clock& clock = SystemClock());

}  // namespace holdfast::kube
