#include "operator/failover/patroni_state.h"

#include <sstream>
#include <utility>

#include "operator/kube/base64.h"

namespace holdfast::failover {
namespace {

using kube::Json;

std::string Annotation(const Json& object, const char* name) {
  return kube::StringAt(object, std::string("/metadata/annotations/") + name);
}

bool IsTrue(const Json& document, const char* field) {
  const auto found = document.find(field);
  if (found == document.end()) return false;
  // Patroni takes YAML's ways to say so as well.
  return *found == true || *found == "true" || *found == "on" || *found == "yes";
}

std::chrono::milliseconds Seconds(const Json& document, const char* field, std::chrono::milliseconds otherwise) {
  const auto found = document.find(field);
  if (found == document.end() || !found->is_number_integer() || found->get<std::int64_t>() <= 0) return otherwise;
  return std::chrono::seconds(found->get<std::int64_t>());
}

}  // namespace

std::string HolderOf(const Json& leader_map) {
  return Annotation(leader_map, "leader");
}

SyncState ParseSync(const Json& sync_map) {
  SyncState sync;
  sync.leader = Annotation(sync_map, "leader");
  std::istringstream names(Annotation(sync_map, "sync_standby"));
  for (std::string name; std::getline(names, name, ',');) {
    const std::size_t begin = name.find_first_not_of(' ');
    if (begin == std::string::npos) continue;
    sync.standbys.push_back(name.substr(begin, name.find_last_not_of(' ') - begin + 1));
  }
  return sync;
}

PatroniConfig ParseConfig(const Json& config_map) {
  PatroniConfig config;
  config.initialized = !Annotation(config_map, "initialize").empty();
  const Json document = Json::parse(Annotation(config_map, "config"), nullptr, false);
  if (!document.is_object()) return config;
  config.synchronous = IsTrue(document, "synchronous_mode");
  const Json nodes = document.value("synchronous_node_count", Json());
  if (nodes.is_number_unsigned() && nodes.get<std::size_t>() > 0) config.synchronous_nodes = nodes.get<std::size_t>();
  config.paused = IsTrue(document, "pause");
  config.loop_wait = Seconds(document, "loop_wait", config.loop_wait);
  config.ttl = Seconds(document, "ttl", config.ttl);
  return config;
}

bool IsTaggedNoFailover(const Json& pod) {
  const Json status = Json::parse(Annotation(pod, "status"), nullptr, false);
  if (!status.is_object() || !status.contains("tags") || !status.at("tags").is_object()) return false;
  return IsTrue(status.at("tags"), "nofailover");
}

std::shared_ptr<const PatroniTls> ParseTls(const Json& secret) {
  const auto part = [&](const char* name) {
    auto text = kube::Base64Decode(kube::StringAt(secret, std::string("/data/") + name));
    return text.ok() ? std::move(text).value() : std::string();
  };
  auto tls = std::make_shared<PatroniTls>(PatroniTls{part("ca.crt"), part("tls.crt"), part("tls.key")});
  if (tls->authority.empty() || tls->certificate.empty() || tls->key.empty()) return nullptr;
  return tls;
}

Json ClearLockPatch(const Json& leader_map) {
  return {
      {"metadata", {{"resourceVersion", kube::ResourceVersionOf(leader_map)}, {"annotations", {{"leader", nullptr}}}}}};
}

}  // namespace holdfast::failover
