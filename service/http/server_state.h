// What the I/O threads of one server share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>

#include "base/metrics/metrics.h"
#include "service/http/admission.h"
#include "service/http/http_message.h"
#include "service/http/http_server.h"
#include "service/http/tls_certificates.h"

namespace holdfast::api {

class ServerMetrics {
 public:
  explicit ServerMetrics(metrics::Registry& registry);

  metrics::Gauge& connections() { return connections_; }
  metrics::Counter& Refused(int status);
  metrics::Counter& Refused(Admission::Verdict verdict);
  metrics::Counter& too_many_requests() { return too_many_requests_; }
  metrics::Counter& tls_handshake() { return tls_handshake_; }

 private:
  metrics::Gauge& connections_;
  metrics::Counter& malformed_;
  metrics::Counter& timeout_;
  metrics::Counter& body_too_large_;
  metrics::Counter& target_too_long_;
  metrics::Counter& expectation_;
  metrics::Counter& head_too_large_;
  metrics::Counter& too_many_connections_;
  metrics::Counter& too_many_of_address_;
  metrics::Counter& few_descriptors_;
  metrics::Counter& too_many_requests_;
  metrics::Counter& version_;
  metrics::Counter& tls_handshake_;
};

struct ServerState {
  ServerState(const ServerLimits& server_limits, std::shared_ptr<Handler> server_handler, metrics::Registry& registry)
      : limits(server_limits),
        admission(limits, MaxDescriptors()),
        handler(std::move(server_handler)),
        metrics(registry),
        tls_metrics(registry) {}

  // Of an admitted connection.
  void RemoveConnection(const boost::asio::ip::address& address);

  const ServerLimits limits;
  Admission admission;
  // These are used on I/O threads only. The handler is let go once those are joined: it may hold responders, and
  // through them what holds this.
  std::shared_ptr<Handler> handler;
  ServerMetrics metrics;
  TlsMetrics tls_metrics;
  std::unique_ptr<TlsCertificates> certificates;  // null = plain

  // Set once, by Shutdown: every answer from here on is its connection's last.
  std::atomic<bool> leaving{false};
  // Set once, by Shutdown behind that: connections end at rest as well.
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::condition_variable drained;  // with mutex: connections may be 0 by now while draining
};

}  // namespace holdfast::api
