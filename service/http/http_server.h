// The data plane's HTTP/1.1 server (RFC 9112): one io_context and one SO_REUSEPORT acceptor per thread, no strands,
// buffers reused per connection. Strict in framing: what is malformed is refused and the connection closed, never
// repaired. Pipelined requests are answered in order, one in progress at a time. Timeouts are exact to an eighth of the
// shortest of them.
//
// With TLS a client that speaks plain HTTP is told so with 400.
//
// Metrics: holdfast_http_connections, holdfast_http_refused_total{reason}, and of TLS those of tls_certificates.h.
// Requests are counted by the handlers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/metrics/metrics.h"
#include "base/result/result.h"
#include "base/time/deadline.h"
#include "service/http/http_message.h"

namespace holdfast::api {

struct ServerLimits {
  // Beyond each of these: 503, as early as it is known.
  std::size_t max_connections = 10'000;
  std::size_t max_connections_per_address = 0;  // 0 = as many as there may be
  std::size_t max_requests = 8'192;             // in progress; what a handler answers at once does not count
  // Files that connections leave to the rest of the process, though never more than half of what it may open.
  std::size_t reserved_descriptors = 256;
  std::size_t max_request_line_bytes = 8u << 10;     // longer: 414
  std::size_t max_header_bytes = 16u << 10;          // whole block; longer: 431
  std::size_t max_header_count = 100;                // more: 431
  std::size_t max_trailer_bytes = 16u << 10;         // behind a chunked body; longer: 431
  std::size_t max_chunk_line_bytes = 256;            // chunk size and extensions; longer: 400
  std::chrono::milliseconds header_timeout{10'000};  // first byte to end of headers: 408; also for a TLS handshake
  std::chrono::milliseconds body_timeout{60'000};    // end of headers to end of body: 408
  std::chrono::milliseconds idle_timeout{75'000};    // between requests: closed silently
  std::chrono::milliseconds write_timeout{30'000};   // no progress in sending: closed
  // How long a refused or closing connection is drained behind the last answer, so that the client reads the answer
  // rather than a reset (RFC 9112, 9.6).
  std::chrono::milliseconds linger_timeout{2'000};
};

// Paths of PEM files, read again when their contents change. TLS 1.2 and newer.
struct TlsOptions {
  std::string certificate;  // leaf first, then its chain
  std::string key;          // not encrypted
  std::string client_ca;    // empty = anybody; else every client must show a certificate of one of these authorities
  std::chrono::milliseconds reload_interval{5'000};
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0 = any free port
  int threads = 0;            // 0 = one per core
  ServerLimits limits;
  std::optional<TlsOptions> tls;
};

class HttpServer {
 public:
  // Listening when this returns. kUnavailable naming address, port and remedy when the port is taken, also by another
  // process that shares ports; kInvalidArgument when `address` is not an IP address or the TLS files cannot be used.
  // `registry` outlives the server.
  static Result<std::unique_ptr<HttpServer>> Start(const ServerOptions& options, std::shared_ptr<Handler> handler,
                                                   metrics::Registry& registry);
  // Shuts down without waiting for requests in progress.
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  // From now on clients are sent away with their next answer (Connection: close); connections are still taken. For the
  // time in which load balancers learn that this server goes.
  virtual void BeginLeaving() = 0;
  // The same for half a second at most, then stops accepting, ends streams without an end, lets requests in progress
  // finish until the deadline, then closes every connection and joins the threads; the handler is let go, and later
  // responses dropped. Not on an I/O thread; a second call does nothing.
  virtual void Shutdown(Deadline deadline) = 0;
};

}  // namespace holdfast::api
