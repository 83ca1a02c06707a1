// Makes Services so: keeps an Endpoints object for each that selects pods, passes connections to its address on to the
// ready ones, and knows what DNS would answer. The part of kube-proxy, CoreDNS and the endpoints controller that pods
// of ours depend on. Level-based: everything is looked at again after any change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "operator/kube/object.h"
#include "operator/local/api_server/change_loop.h"
#include "operator/local/services/service_endpoints.h"
#include "operator/local/services/tcp_forwarder.h"

namespace holdfast::local {

// A port of a Service at another address of the machine, beside its own, as a NodePort is.
struct PublishedPort {
  kube::ObjectKey service;
  std::uint16_t service_port = 0;
  std::string address;
  std::uint16_t port = 0;
};

class ServiceController {
 public:
  // `api` must outlive it. Only addresses in 127.0.0.0/8 are listened on: others are not this machine's.
  ServiceController(ApiServer& api, std::vector<PublishedPort> published);
  ~ServiceController();

  // Lines for a hosts file of a pod in this namespace, in every form a pod may use: "db", "db.ns", "db.ns.svc",
  // "db.ns.svc.cluster.local"; the same ones while nothing has changed, and never null. Thread-safe.
  std::shared_ptr<const std::string> HostsOf(const std::string& ns) const;

 private:
  void Pass();
  std::string HostsText(const std::string& ns) const;  // with mutex_
  void KeepEndpoints(const Json& service, const ServiceView& view, const Json& endpoints);
  void DropEndpoints(const Json& services, const Json& endpoints);

  ApiServer& api_;
  const std::vector<PublishedPort> published_;
  TcpForwarder forwarder_;
  std::set<std::string> told_;  // failures to listen; used by the loop only
  mutable std::mutex mutex_;
  // By namespace and name relative to it. Guarded by mutex_.
  std::map<std::string, std::map<std::string, std::vector<std::string>>> names_;
  mutable std::map<std::string, std::shared_ptr<const std::string>> hosts_;  // guarded by mutex_; of names_
  ChangeLoop loop_;                                                          // last: it begins with a pass
};

}  // namespace holdfast::local
