#include "operator/local/services/service_endpoints.h"

#include <algorithm>

namespace holdfast::local {
namespace {

bool IsSelected(const Json& pod, const Json& selector) {
  const Json& labels = ObjectAt(pod, {"metadata", "labels"});
  return std::all_of(selector.items().begin(), selector.items().end(), [&](const auto& each) {
    auto label = labels.find(each.key());
    return label != labels.end() && *label == each.value();
  });
}

bool IsReady(const Json& pod) {
  for (const Json& condition : ArrayAt(pod, {"status", "conditions"})) {
    if (TextAt(condition, {"type"}) == "Ready") return TextAt(condition, {"status"}) == "True";
  }
  return false;
}

bool HasEnded(const Json& pod) {
  std::string phase = TextAt(pod, {"status", "phase"});
  return phase == "Failed" || phase == "Succeeded";
}

// The number that `targetPort` means in this pod; 0 when the pod has no port of that name.
std::uint16_t TargetPort(const Json& service_port, const Json& pod) {
  const Json* target = FindField(service_port, {"targetPort"});
  if (target == nullptr) return static_cast<std::uint16_t>(IntegerAt(service_port, {"port"}));
  if (target->is_number()) return static_cast<std::uint16_t>(target->get<std::int64_t>());
  for (const Json& container : ArrayAt(pod, {"spec", "containers"})) {
    for (const Json& each : ArrayAt(container, {"ports"})) {
      if (target->is_string() && TextAt(each, {"name"}) == target->get<std::string>()) {
        return static_cast<std::uint16_t>(IntegerAt(each, {"containerPort"}));
      }
    }
  }
  return 0;
}

Json EndpointPort(const Json& service_port, std::uint16_t number) {
  Json port = {{"port", number}, {"protocol", TextAt(service_port, {"protocol"})}};
  for (const char* field : {"name", "appProtocol"}) {
    if (service_port.contains(field)) port[field] = service_port[field];
  }
  return port;
}

Json EndpointAddress(const Json& pod) {
  Json address = {
      {"ip", TextAt(pod, {"status", "podIP"})},
      {"nodeName", TextAt(pod, {"spec", "nodeName"})},
      {"targetRef", {{"kind", "Pod"}, {"namespace", NamespaceOf(pod)}, {"name", NameOf(pod)}, {"uid", UidOf(pod)}}}};
  return address;
}

}  // namespace

bool HasOwnEndpoints(const Json& service) {
  return ObjectAt(service, {"spec", "selector"}).empty() || TextAt(service, {"spec", "type"}) == "ExternalName";
}

ServiceView ViewService(const Json& service, const std::vector<const Json*>& pods) {
  ServiceView view;
  const std::string name = NameOf(service);
  const Json& ports = ArrayAt(service, {"spec", "ports"});
  std::string cluster_address = TextAt(service, {"spec", "clusterIP"});
  if (cluster_address != "None") view.cluster_address = cluster_address;
  for (const Json& each : ports) {
    if (TextAt(each, {"protocol"}) != "UDP") {
      view.ports.push_back({static_cast<std::uint16_t>(IntegerAt(each, {"port"})), {}});
    }
  }
  if (!view.cluster_address.empty()) view.addresses_by_name[name] = {view.cluster_address};
  if (HasOwnEndpoints(service)) return view;

  bool publishes_unready = BoolAt(service, {"spec", "publishNotReadyAddresses"});
  std::map<std::string, Json> subset_by_ports;  // of pods whose ports have the same numbers
  for (const Json* pod : pods) {
    if (!IsSelected(*pod, ObjectAt(service, {"spec", "selector"})) || HasEnded(*pod)) continue;
    std::string address = TextAt(*pod, {"status", "podIP"});
    if (address.empty()) continue;
    bool ready = publishes_unready || (IsReady(*pod) && !IsTerminating(*pod));
    Json numbers = Json::array();
    std::size_t index = 0;
    for (const Json& each : ports) {
      std::uint16_t number = TargetPort(each, *pod);
      if (number != 0) numbers.push_back(EndpointPort(each, number));
      if (TextAt(each, {"protocol"}) == "UDP") continue;
      if (number != 0 && ready) view.ports[index].targets.push_back({address, number, UidOf(*pod)});
      if (number != 0 && !ready && IsTerminating(*pod)) {
        view.ports[index].leaving.push_back({address, number, UidOf(*pod)});
      }
      ++index;
    }
    Json& subset = subset_by_ports[numbers.dump()];
    if (!subset.is_object()) subset = {{"ports", numbers}};
    Json& addresses = subset[ready ? "addresses" : "notReadyAddresses"];
    if (!addresses.is_array()) addresses = Json::array();
    addresses.push_back(EndpointAddress(*pod));
    if (!ready) continue;
    if (view.cluster_address.empty()) view.addresses_by_name[name].push_back(address);
    std::string host = TextAt(*pod, {"spec", "hostname"});
    if (!host.empty() && TextAt(*pod, {"spec", "subdomain"}) == name) {
      view.addresses_by_name[host + "." + name] = {address};
    }
  }
  for (auto& [numbers, subset] : subset_by_ports) view.subsets.push_back(std::move(subset));
  return view;
}

}  // namespace holdfast::local
