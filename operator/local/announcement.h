// What `local` says about its first cluster when it is ready: where it is, and what to try. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

struct Announcement {
  std::string url;                    // "http://127.0.0.1:8080"
  std::vector<std::string> commands;  // curl's, in the order in which they make sense
};

// `cluster`: the StorageCluster with its status. `kubectl`: how to call it. Over TLS the certificate names the
// cluster's Service and not `address`, so that curl is told both; whose authority is whose is not guessed.
Announcement Announce(const Json& cluster, const std::string& address, std::uint16_t port, const std::string& kubectl);

}  // namespace holdfast::local
