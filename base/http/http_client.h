// The one HTTP client: Kubernetes API, operator to service, the command line. Over cpprestsdk, which only base/http
// includes. Thread-safe; connections are pooled per client and checked before they are used again. Redirects are not
// followed and proxies not used: a token goes to the server it is for. An HTTP status is not an error: the caller reads
// `status`. Errors:
//   kInvalidArgument    the options or the request cannot be sent as they are
//   kUnavailable        no connection, or it broke before the request was sent, or a GET, HEAD or OPTIONS had no answer
//   kOutcomeUnknown     any other request was sent and its whole answer never came, for whatever reason; a conditional
//                       PUT that took effect would fail when sent again, so no such request is ever sent twice
//   kDeadlineExceeded, kCancelled    nothing that could have taken effect was sent
//   kResourceExhausted  the answer is larger than its limit
#pragma once

#include <chrono>
#include <cstddef>
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
  // What the server's certificate has to be for, and the Host that requests name; empty = the host of base_url. For a
  // server that is reached by its address.
  std::string server_name;
  // PEM texts; empty = the system's authorities, no client certificate.
  std::string ca_pem;
  std::string client_certificate_pem;
  std::string client_key_pem;
  bool insecure_skip_tls_verify = false;
  // The largest body Send accepts.
  std::size_t max_response_bytes = 256u << 20;
  // Asked before every request, so that a rotated token is used at once; none or "" = no Authorization header. Called
  // from any thread that sends.
  std::function<std::string()> bearer_token;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // path and query, already encoded; sent byte for byte
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
  // Sets the size of the library's thread pool, 1 to 256; once per process, before the first client: later calls change
  // nothing. Default 4.
  static void SetThreads(int threads);

  // For a process all of whose clients have a ca_pem: the library reads the system's authorities anew for every
  // connection, 0.8 MB and some milliseconds each, before ca_pem takes their place. From here on it finds none. Sets
  // OpenSSL's environment variables: to be called before the process has a second thread.
  static void IgnoreSystemAuthorities();

  // Options that make no sense (a URL without a host, PEM that is none) are reported by every request.
  explicit HttpClient(ClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Result<ClientResponse> Send(const ClientRequest& request, Deadline deadline);

  // Reads a response line by line as it arrives (a Kubernetes watch); `on_line` gets each line without its newline, the
  // last one also when it has none, on the calling thread, and ends the stream by returning false. While it works the
  // server is held back: some hundred KiB wait here, and one chunk of the server's, which the library reads whole (so a
  // server is trusted with the size of its chunks, though not with that of its lines). Returns when the server ends the
  // stream (ok), `on_line` ends it (ok), `stop` is requested (kCancelled), no byte came for `idle_timeout`
  // (kDeadlineExceeded), the connection broke or the body was cut short (kUnavailable) or a line is longer than
  // `max_line_bytes` (kResourceExhausted). A status other than 200: `on_line` is not called, the body (at most
  // max_line_bytes) is in `error_body`.
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
