// What a Service stands for at the moment: the pods its selector finds, as Endpoints, as targets for connections and as
// names. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "operator/local/api_server/json_access.h"

namespace holdfast::local {

// Of one of a Service's ports.
struct ServicePort {
  std::uint16_t port = 0;
  struct Target {
    std::string address;
    std::uint16_t port = 0;
    std::string pod_uid;
  };
  // Of pods that are ready and not on their way out; of all with an address where the Service publishes unready ones.
  std::vector<Target> targets;
  // Of pods on their way out, which finish what they have begun.
  std::vector<Target> leaving = {};
};

struct ServiceView {
  std::string cluster_address;     // empty: headless, or not resolved here
  std::vector<ServicePort> ports;  // TCP only
  Json subsets = Json::array();    // of Endpoints
  // What DNS would say, by name relative to the namespace ("demo-db-primary", "demo-db-0.demo-db-pods"); sorted.
  std::map<std::string, std::vector<std::string>> addresses_by_name;
};

// `pods`: those of the Service's namespace.
ServiceView ViewService(const Json& service, const std::vector<const Json*>& pods);

// True when somebody else keeps the Endpoints: without a selector, or of another kind of name altogether.
bool HasOwnEndpoints(const Json& service);

}  // namespace holdfast::local
