#include "service/http/server_state.h"

#include <string>

namespace holdfast::api {
namespace {

metrics::Counter& RefusedCounter(metrics::Registry& registry, const std::string& reason) {
  return registry.GetCounter("holdfast_http_refused_total",
                             "Requests and connections that the HTTP server itself turned away, by reason.",
                             {{"reason", reason}});
}

}  // namespace

ServerMetrics::ServerMetrics(metrics::Registry& registry)
    : connections_(registry.GetGauge("holdfast_http_connections", "Open connections of the data plane.")),
      malformed_(RefusedCounter(registry, "malformed")),
      timeout_(RefusedCounter(registry, "timeout")),
      body_too_large_(RefusedCounter(registry, "body_too_large")),
      target_too_long_(RefusedCounter(registry, "target_too_long")),
      expectation_(RefusedCounter(registry, "expectation")),
      head_too_large_(RefusedCounter(registry, "head_too_large")),
      too_many_connections_(RefusedCounter(registry, "too_many_connections")),
      too_many_of_address_(RefusedCounter(registry, "too_many_connections_of_address")),
      few_descriptors_(RefusedCounter(registry, "few_descriptors")),
      too_many_requests_(RefusedCounter(registry, "too_many_requests")),
      version_(RefusedCounter(registry, "version")),
      tls_handshake_(RefusedCounter(registry, "tls_handshake")) {}

metrics::Counter& ServerMetrics::Refused(int status) {
  switch (status) {
    case 408:
      return timeout_;
    case 413:
      return body_too_large_;
    case 414:
      return target_too_long_;
    case 417:
      return expectation_;
    case 431:
      return head_too_large_;
    case 505:
      return version_;
    default:
      return malformed_;
  }
}

metrics::Counter& ServerMetrics::Refused(Admission::Verdict verdict) {
  switch (verdict) {
    case Admission::Verdict::kTooManyOfAddress:
      return too_many_of_address_;
    case Admission::Verdict::kFewDescriptors:
      return few_descriptors_;
    default:
      return too_many_connections_;
  }
}

void ServerState::RemoveConnection(const boost::asio::ip::address& address) {
  if (admission.Leave(address) && draining) {
    const std::lock_guard lock(mutex);
    drained.notify_all();
  }
}

}  // namespace holdfast::api
