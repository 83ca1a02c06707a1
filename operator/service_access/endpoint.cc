#include "operator/service_access/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operator/certificates/certificate.h"
#include "operator/kube/base64.h"
#include "operator/kube/get_or_null.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::service_access {
namespace {

using kube::Json;

std::string AddressOf(const Json& pod) {
  return kube::IsReady(pod) ? kube::StringAt(pod, "/status/podIP") : std::string();
}

// Null when none can be asked.
const Json* Choose(const std::vector<Json>& pods, const std::string& preferred) {
  const Json* chosen = nullptr;
  for (const Json& pod : pods) {
    if (AddressOf(pod).empty()) continue;
    if (kube::KeyOf(pod).name == preferred) return &pod;
    if (chosen == nullptr) chosen = &pod;
  }
  return chosen;
}

// Empty when the Secret is not there, or has no such file.
std::string FileOf(const Json& secret, const char* file) {
  const auto text = kube::Base64Decode(kube::StringAt(secret, std::string("/data/") + file));
  return text.ok() ? *text : std::string();
}

std::string ServiceName(const api::StorageCluster& cluster) {
  return cluster.name + "." + cluster.ns + ".svc";
}

// A name that the certificate is for: the service's, or else its first, with the cluster's for a wildcard.
std::string NameIn(const std::vector<std::string>& names, const api::StorageCluster& cluster) {
  std::string own = ServiceName(cluster);
  if (names.empty() || std::find(names.begin(), names.end(), own) != names.end()) return own;
  const std::string& first = names.front();
  return first.starts_with("*.") ? cluster.name + first.substr(1) : first;
}

Result<std::string> AddIssued(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline,
                              Endpoint* endpoint) {
  const kube::ObjectKey key{cluster.ns, resources::AuthorityName(cluster.name)};
  HOLDFAST_ASSIGN_OR_RETURN(const Json published, kube::GetOrNull(client, kube::kinds::kConfigMap, key, deadline));
  endpoint->authority = kube::StringAt(published, std::string("/data/") + resources::kAuthorityFile);
  endpoint->server_name = ServiceName(cluster);
  if (!endpoint->authority.empty()) return std::string();
  return "the authority of the service's certificate is not published yet, in ConfigMap " + key.name;
}

// Whoever signed it is not for us to know: what stands in the Secret is what the service shows, and is trusted.
Result<std::string> AddGiven(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline,
                             Endpoint* endpoint) {
  const kube::ObjectKey key{cluster.ns, cluster.spec.service.tls->secret_name};
  HOLDFAST_ASSIGN_OR_RETURN(const Json secret, kube::GetOrNull(client, kube::kinds::kSecret, key, deadline));
  const std::string chain = FileOf(secret, resources::kCertificateFile);
  const auto facts = certificates::ReadFacts(chain);
  if (!facts.ok()) return "Secret " + key.name + " of service.tls.secretName has no certificate in tls.crt";
  endpoint->authority = FileOf(secret, resources::kAuthorityFile) + "\n" + chain;
  endpoint->server_name = NameIn(facts->names, cluster);
  return std::string();
}

Result<std::string> AddOwn(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline,
                           Endpoint* endpoint) {
  const kube::ObjectKey key{cluster.ns, cluster.spec.service.tls->operator_secret_name};
  HOLDFAST_ASSIGN_OR_RETURN(const Json secret, kube::GetOrNull(client, kube::kinds::kSecret, key, deadline));
  certificates::KeyPair pair{FileOf(secret, resources::kCertificateFile), FileOf(secret, resources::kKeyFile)};
  if (!certificates::Matches(pair)) {
    return "Secret " + key.name + " of service.tls.operatorSecretName has no certificate in tls.crt with its key in " +
           "tls.key";
  }
  endpoint->certificate = std::move(pair.certificate);
  endpoint->key = std::move(pair.key);
  return std::string();
}

// What is missing; empty = nothing.
Result<std::string> AddTls(kube::Client& client, const api::StorageCluster& cluster, Deadline deadline,
                           Endpoint* endpoint) {
  const api::ServiceTls& tls = *cluster.spec.service.tls;
  HOLDFAST_ASSIGN_OR_RETURN(std::string missing, tls.issued() ? AddIssued(client, cluster, deadline, endpoint)
                                                              : AddGiven(client, cluster, deadline, endpoint));
  if (!missing.empty() || !tls.client_authority) return missing;
  return AddOwn(client, cluster, deadline, endpoint);
}

}  // namespace

Result<Reached> Reach(kube::Client& client, const api::StorageCluster& cluster, const std::vector<Json>& pods,
                      const std::string& token, const std::string& preferred, Deadline deadline) {
  Reached reached;
  const Json* pod = Choose(pods, preferred);
  if (pod == nullptr) {
    reached.silence = "no pod of the service is ready";
    return reached;
  }
  const std::string address = AddressOf(*pod);
  const bool brackets = address.find(':') != std::string::npos;
  reached.endpoint.base_url = fmt::format("{}://{}{}{}:{}", cluster.spec.service.tls ? "https" : "http",
                                          brackets ? "[" : "", address, brackets ? "]" : "", resources::kDataPort);
  reached.endpoint.token = token;
  reached.pod = kube::KeyOf(*pod).name;
  if (cluster.spec.service.tls) {
    HOLDFAST_ASSIGN_OR_RETURN(reached.silence, AddTls(client, cluster, deadline, &reached.endpoint));
  }
  return reached;
}

std::string WhyNotSteered(const api::StorageCluster& cluster, const std::string& instead) {
  const auto& tls = cluster.spec.service.tls;
  if (!tls || !tls->client_authority || !tls->operator_secret_name.empty()) return {};
  return "the operator has no certificate of service.tls.clientCA to call the service with: name one in "
         "service.tls.operatorSecretName, or " +
         instead;
}

bool Runs(const api::StorageCluster& cluster) {
  return !cluster.hibernated && (cluster.spec.service.replicas > 0 || cluster.spec.service.autoscaling);
}

}  // namespace holdfast::service_access
