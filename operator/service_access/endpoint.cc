#include "operator/service_access/endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

}  // namespace

Result<Reached> Reach(kube::Client& client, const api::StorageCluster& cluster, const std::vector<Json>& pods,
                      const std::string& token, const std::string& preferred, Deadline deadline) {
  Reached reached{.endpoint = {.base_url = {}, .authority = {}, .token = token}, .pod = {}};
  if (cluster.spec.service.tls) {
    HOLDFAST_ASSIGN_OR_RETURN(const Json published,
                              kube::GetOrNull(client, kube::kinds::kConfigMap,
                                              {cluster.ns, resources::AuthorityName(cluster.name)}, deadline));
    reached.endpoint.authority = kube::StringAt(published, std::string("/data/") + resources::kAuthorityFile);
    // By the name that the certificate is for.
    reached.endpoint.base_url = resources::Endpoint(cluster);
    if (pods.size() == 1) reached.pod = kube::KeyOf(pods.front()).name;
    return reached;
  }
  const Json* pod = Choose(pods, preferred);
  if (pod == nullptr) return reached;
  const std::string address = AddressOf(*pod);
  const bool brackets = address.find(':') != std::string::npos;
  reached.endpoint.base_url =
      fmt::format("http://{}{}{}:{}", brackets ? "[" : "", address, brackets ? "]" : "", resources::kDataPort);
  reached.pod = kube::KeyOf(*pod).name;
  return reached;
}

std::string WhyNotSteered(const api::StorageCluster& cluster, const std::string& instead) {
  const auto& tls = cluster.spec.service.tls;
  const std::string remedy = ", and cannot steer the service: " + instead;
  if (tls && !tls->issued()) return "the operator cannot verify the certificate of service.tls.secretName" + remedy;
  if (tls && tls->client_authority) return "the operator has no certificate of service.tls.clientCA" + remedy;
  return {};
}

bool Runs(const api::StorageCluster& cluster) {
  return !cluster.hibernated && (cluster.spec.service.replicas > 0 || cluster.spec.service.autoscaling);
}

}  // namespace holdfast::service_access
