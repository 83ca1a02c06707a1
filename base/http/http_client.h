// The one HTTP client: Kubernetes API, operator to service, the command line. Over cpprestsdk, which no other file
// includes. Thread-safe; connections are pooled per client. Errors: kUnavailable when no connection could be made or it
// broke before the request was sent, kDeadlineExceeded, kCancelled, kOutcomeUnknown when a request that is not
// idempotent was sent and its answer never came. An HTTP status is not an error: the caller reads `status`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result/result.h"
#include "base/time/deadline.h"

namespace holdfast::http {

struct CaseInsensitiveLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::map<std::string, std::string, CaseInsensitiveLess>;

struct ClientOptions {
  std::string base_url;  // "https://10.0.0.1:6443", without a path
  std::chrono::milliseconds connect_timeout{5000};
  // PEM texts; empty = the system's authorities, no client certificate.
  std::string ca_pem;
  std::string client_certificate_pem;
  std::string client_key_pem;
  bool insecure_skip_tls_verify = false;
  // Asked before every request, so that a rotated token is used at once; empty = no Authorization header.
  std::function<std::string()> bearer_token;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already encoded
  Headers headers;
  std::string body;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

class HttpClient {
 public:
  // Sets the size of the library's thread pool; once per process, before the first client. Default 4.
  static void SetThreads(int threads);

  explicit HttpClient(ClientOptions options);
  ~HttpClient();

  Result<ClientResponse> Send(const ClientRequest& request, Deadline deadline);

  // Reads a response line by line as it arrives (a Kubernetes watch). `on_response` sees status and headers first and
  // ends the stream by returning false; `on_line` likewise. Returns when the server ends the stream (ok), a callback
  // ends it (ok), `stop` is requested (kCancelled), no byte came for `idle_timeout` (kDeadlineExceeded), the
  // connection broke (kUnavailable) or a line is longer than `max_line_bytes` (kResourceExhausted). A status other
  // than 200: `on_line` is not called, the body (at most max_line_bytes) is in `error_body`.
  struct StreamOptions {
    std::chrono::milliseconds idle_timeout{60'000};
    std::size_t max_line_bytes = 8u << 20;
  };
  struct StreamEnd {
    int status = 0;
    std::string error_body;
  };
  Result<StreamEnd> Stream(const ClientRequest& request, const StreamOptions& options, std::stop_token stop,
                           const std::function<bool(std::string_view line)>& on_line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Percent-encodes everything but unreserved characters (RFC 3986 section 2.3); `keep` names further bytes to leave.
std::string PercentEncode(std::string_view raw, std::string_view keep = "");
// Decodes once; nullopt on a stray or malformed '%'.
std::optional<std::string> PercentDecode(std::string_view encoded);

}  // namespace holdfast::http
