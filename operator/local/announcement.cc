#include "operator/local/announcement.h"

#include <fmt/format.h>

namespace holdfast::local {

Announcement Announce(const Json& cluster, const std::string& address, std::uint16_t port, const std::string& kubectl) {
  const std::string endpoint = TextAt(cluster, {"status", "endpoint"});
  const bool tls = endpoint.starts_with("https://");
  Announcement announcement{fmt::format("{}://{}:{}", tls ? "https" : "http", address, port), {}};
  std::string curl = "curl";
  std::string base = announcement.url;
  if (tls) {
    const std::string published = TextAt(cluster, {"status", "caConfigMap"});
    if (!published.empty()) {
      announcement.commands.push_back(
          fmt::format(R"({} --namespace {} get configmap {} -o jsonpath='{{.data.ca\.crt}}' > ca.crt)", kubectl,
                      NamespaceOf(cluster), published));
    }
    curl += fmt::format(" --cacert ca.crt --connect-to ::{}:{}", address, port);
    if (FindField(cluster, {"spec", "service", "tls", "clientCA"}) != nullptr) {
      curl += " --cert client.crt --key client.key";
    }
    base = endpoint;
  }
  const std::string keys = base + "/v1/stores/_default/keys";
  announcement.commands.push_back(fmt::format("{} -X PUT --data-binary hello {}/greeting", curl, keys));
  announcement.commands.push_back(fmt::format("{} {}/greeting", curl, keys));
  announcement.commands.push_back(fmt::format("{} {}", curl, keys));
  return announcement;
}

}  // namespace holdfast::local
