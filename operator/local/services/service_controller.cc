#include "operator/local/services/service_controller.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log/log.h"
#include "operator/local/api_server/json_access.h"

namespace holdfast::local {
namespace {

constexpr std::string_view kAgent = "holdfast-local-endpoints";
// Tells the Endpoints kept here from those that somebody else keeps.
constexpr const char* kManagedBy = "endpoints.kubernetes.io/managed-by";
constexpr const char* kManager = "endpoint-controller";

std::string EndpointsPath(const std::string& ns, const std::string& name = "") {
  return fmt::format("/api/v1/namespaces/{}/endpoints{}{}", ns, name.empty() ? "" : "/", name);
}

void Report(const std::string& name, const ApiServer::Reply& reply) {
  // What fails because something changed meanwhile comes round with that change.
  if (reply.ok() || reply.status == 404 || reply.status == 409) return;
  log::Warn("Endpoints could not be written", {{"object", name}, {"error", TextAt(reply.body, {"message"})}});
}

const Json* Find(const Json& list, const std::string& ns, const std::string& name) {
  for (const Json& each : ArrayAt(list, {"items"})) {
    if (NamespaceOf(each) == ns && NameOf(each) == name) return &each;
  }
  return nullptr;
}

bool IsKeptHere(const Json& endpoints) {
  return TextAt(endpoints, {"metadata", "labels", kManagedBy}) == kManager;
}

std::vector<ForwardTarget> TargetsOf(const std::vector<ServicePort::Target>& pods) {
  std::vector<ForwardTarget> targets;
  for (const ServicePort::Target& each : pods) targets.push_back({each.address, each.port, each.pod_uid});
  return targets;
}

}  // namespace

ServiceController::ServiceController(ApiServer& api, std::vector<PublishedPort> published)
    : api_(api), published_(std::move(published)), loop_(api, SystemClock(), [this](const std::stop_token&) {
        Pass();
        return std::optional<Timestamp>();
      }) {}

ServiceController::~ServiceController() = default;

std::shared_ptr<const std::string> ServiceController::HostsOf(const std::string& ns) const {
  std::lock_guard lock(mutex_);
  std::shared_ptr<const std::string>& hosts = hosts_[ns];
  if (!hosts) hosts = std::make_shared<const std::string>(HostsText(ns));
  return hosts;
}

std::string ServiceController::HostsText(const std::string& ns) const {
  std::string text;
  for (const auto& [home, names] : names_) {
    for (const auto& [name, addresses] : names) {
      std::string forms = fmt::format("{0}.{1}.svc.cluster.local {0}.{1}.svc {0}.{1}", name, home);
      if (home == ns) forms += " " + name;
      for (const std::string& address : addresses) text += fmt::format("{} {}\n", address, forms);
    }
  }
  return text;
}

void ServiceController::Pass() {
  Json services = api_.Call("GET", "/api/v1/services").body;
  Json pods = api_.Call("GET", "/api/v1/pods").body;
  Json endpoints = api_.Call("GET", "/api/v1/endpoints").body;
  std::map<std::string, std::vector<const Json*>> pods_by_namespace;
  for (const Json& pod : ArrayAt(pods, {"items"})) pods_by_namespace[NamespaceOf(pod)].push_back(&pod);

  decltype(names_) names;
  std::vector<ForwardRule> rules;
  for (const Json& service : ArrayAt(services, {"items"})) {
    std::string ns = NamespaceOf(service);
    ServiceView view = ViewService(service, pods_by_namespace[ns]);
    names[ns].merge(view.addresses_by_name);
    for (const ServicePort& port : view.ports) {
      const std::vector<ForwardTarget> targets = TargetsOf(port.targets);
      const std::vector<ForwardTarget> leaving = TargetsOf(port.leaving);
      for (const PublishedPort& each : published_) {
        bool meant = each.service == kube::ObjectKey{ns, NameOf(service)} && each.service_port == port.port;
        if (meant) rules.push_back({each.address, each.port, targets, leaving});
      }
      if (view.cluster_address.starts_with("127."))
        rules.push_back({view.cluster_address, port.port, targets, leaving});
    }
    KeepEndpoints(service, view, endpoints);
  }
  {
    std::lock_guard lock(mutex_);
    if (names != names_) {
      names_ = std::move(names);
      hosts_.clear();
    }
  }
  DropEndpoints(services, endpoints);
  for (const Error& each : forwarder_.Apply(std::move(rules))) {
    if (told_.insert(each.message()).second) {
      log::Warn("a service cannot be reached at its address", {{"error", each.message()}});
    }
  }
}

void ServiceController::KeepEndpoints(const Json& service, const ServiceView& view, const Json& endpoints) {
  if (HasOwnEndpoints(service) || IsTerminating(service)) return;
  std::string ns = NamespaceOf(service);
  std::string name = NameOf(service);
  const Json* present = Find(endpoints, ns, name);
  Json labels = ObjectAt(service, {"metadata", "labels"});
  labels[kManagedBy] = kManager;
  if (present == nullptr) {
    Json object = {{"apiVersion", "v1"},
                   {"kind", "Endpoints"},
                   {"metadata", {{"name", name}, {"labels", labels}}},
                   {"subsets", view.subsets}};
    Report(name, api_.Call("POST", EndpointsPath(ns), object, "", kAgent));
    return;
  }
  if (ArrayAt(*present, {"subsets"}) == view.subsets && ObjectAt(*present, {"metadata", "labels"}) == labels) return;
  Json patch = {{"metadata",
                 {{"uid", UidOf(*present)},
                  {"resourceVersion", TextAt(*present, {"metadata", "resourceVersion"})},
                  {"labels", labels}}},
                {"subsets", view.subsets}};
  Report(name, api_.Call("PATCH", EndpointsPath(ns, name), patch, "application/merge-patch+json", kAgent));
}

void ServiceController::DropEndpoints(const Json& services, const Json& endpoints) {
  for (const Json& each : ArrayAt(endpoints, {"items"})) {
    const Json* service = Find(services, NamespaceOf(each), NameOf(each));
    if (!IsKeptHere(each) || (service != nullptr && !HasOwnEndpoints(*service))) continue;
    Json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", {{"uid", UidOf(each)}}}};
    Report(NameOf(each), api_.Call("DELETE", EndpointsPath(NamespaceOf(each), NameOf(each)), options, "", kAgent));
  }
}

}  // namespace holdfast::local
