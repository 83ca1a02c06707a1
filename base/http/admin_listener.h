// The admin port of both binaries: what the kubelet and Prometheus ask.
//   /livez     200 as long as the process answers; restarting it would help nobody who waits for a backend
//   /readyz    200, or 503 with the reason
//   /healthz   JSON, 503 when unhealthy
//   /metrics   Prometheus text format
// and pages for people, where the program has some.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/http/http_listener.h"
#include "base/metrics/metrics.h"
#include "base/result/result.h"

namespace holdfast::http {

struct Health {
  bool healthy = true;
  std::string json;  // the body, complete
};

// Called from the listener's threads, several at once; they answer within a probe's patience (about a second).
struct AdminCallbacks {
  std::function<Status()> ready;
  std::function<Health()> health;
};

// Sent with a content security policy that lets a browser load from this port only, and run no script inside HTML.
struct StaticPage {
  std::string path;  // "/status.js"
  std::string content_type;
  std::string body;
};

class AdminListener {
 public:
  // Errors as HttpListener::Start. The callbacks and `registry` must outlive it.
  static Result<std::unique_ptr<AdminListener>> Start(const ListenerOptions& options, AdminCallbacks callbacks,
                                                      const metrics::Registry& registry,
                                                      std::vector<StaticPage> pages = {});

  std::uint16_t port() const { return listener_->port(); }

 private:
  explicit AdminListener(std::unique_ptr<HttpListener> listener) : listener_(std::move(listener)) {}
  std::unique_ptr<HttpListener> listener_;
};

}  // namespace holdfast::http
