// The data plane's HTTP/1.1 server: one io_context and one SO_REUSEPORT acceptor per thread, no strands, buffers reused
// per connection. Strict in framing: what is malformed is refused and the connection closed, never repaired.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/http/http_message.h"

namespace holdfast::api {

struct ServerLimits {
  std::size_t max_connections = 10'000;
  std::size_t max_request_line_bytes = 8u << 10;     // longer: 414
  std::size_t max_header_bytes = 16u << 10;          // whole block; longer: 431
  std::size_t max_header_count = 100;                // more: 431
  std::chrono::milliseconds header_timeout{10'000};  // first byte to end of headers: 408
  std::chrono::milliseconds body_timeout{60'000};    // end of headers to end of body: 408
  std::chrono::milliseconds idle_timeout{75'000};    // between requests: closed silently
  std::chrono::milliseconds write_timeout{30'000};   // no progress in sending: closed
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any free port
  int threads = 0;            // 0 = one per core
  ServerLimits limits;
};

class HttpServer {
 public:
  // Listening when this returns. kUnavailable naming address, port and remedy when it is taken.
  static Result<std::unique_ptr<HttpServer>> Start(const ServerOptions& options, std::shared_ptr<Handler> handler,
                                                   metrics::Registry& registry);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  // Stops accepting, lets requests in progress finish until the deadline, then closes every connection and joins.
  virtual void Shutdown(Deadline deadline) = 0;
};

}  // namespace holdfast::api
