#include "base/http/http_client.h"

#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <pplx/threadpool.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/http/body_sink.h"
#include "base/http/exchange.h"
#include "base/http/line_splitter.h"
#include "base/http/tls.h"

namespace holdfast::http {
namespace {

using std::chrono::steady_clock;

constexpr int kDefaultThreads = 4;
constexpr int kMostThreads = 256;
// The library's own timer starts anew with every step, so it can bound neither a request nor an idle stream; both are
// bounded here instead, and it is put out of the way.
constexpr std::chrono::hours kLibraryTimeout{24};
// How long to wait for a cancelled request to say whether it had been sent. Only a hanging name look-up takes longer.
constexpr std::chrono::milliseconds kCancelGrace{250};

std::once_flag threads_set;

void SetThreadsOnce(int threads) {
  std::call_once(threads_set, [threads] {
    // What is set up first is cleaned up last: the pool's threads must end before OpenSSL does at exit.
    OPENSSL_init_ssl(0, nullptr);
    crossplat::threadpool::initialize_with_threads(static_cast<std::size_t>(std::clamp(threads, 1, kMostThreads)));
  });
}

// Thrown into the library by the check below and caught where its answer comes out.
struct StaleConnection {};

// Runs before every use of a connection. One that came from the pool and that the server has closed meanwhile (or
// written to, which it had no reason to) is refused while nothing has been sent on it. Without this, the library would
// send the request, see the end of the stream and not know whether the server had acted on it.
void RefuseStaleConnection(boost::asio::ip::tcp::socket& socket) {
  if (!socket.is_open()) return;
  char byte = 0;
  const ssize_t got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) throw StaleConnection();
}

bool IsSafe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; });
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

// A body the library can read once and not rewind: it sends a request again on its own when a used connection turns
// out to be closed, but only when it can rewind the body (or there is none).
concurrency::streams::istream OneShot(const std::string& body) {
  concurrency::streams::producer_consumer_buffer<std::uint8_t> buffer;
  if (!body.empty()) buffer.putn_nocopy(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()).get();
  buffer.close(std::ios_base::out).get();
  return buffer.create_istream();
}

Exchange::Failure Describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const StaleConnection&) {
    return {"the connection had been closed", true};
  } catch (const std::exception& error) {
    return {error.what(), false};
  } catch (...) {
    return {"unknown failure of the HTTP library", false};
  }
}

Headers ToHeaders(const web::http::http_headers& from) {
  Headers headers;
  for (const auto& [name, value] : from) headers[name] = value;
  return headers;
}

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(ClientOptions options);

  // What the caller of Drive is told. Each returns false to end the request there.
  struct Reader {
    std::function<bool(int status, Headers headers)> head;
    std::function<bool(std::string_view bytes)> bytes;
  };
  struct Limits {
    Deadline deadline = Deadline::Infinite();
    std::optional<std::chrono::milliseconds> idle;
    std::stop_token stop;
  };

  // Sends `request` and feeds `reader` until the server or the reader ends it.
  Status Drive(const ClientRequest& request, const Limits& limits, const Reader& reader);
  std::size_t max_response_bytes() const { return options_.max_response_bytes; }

 private:
  Result<web::http::http_request> ToLibrary(const ClientRequest& request) const;
  Status AddHeaders(const ClientRequest& request, web::http::http_request& out) const;
  // nullopt: the connection was stale and nothing was sent; try again.
  std::optional<Status> Attempt(const ClientRequest& request, web::http::http_request& out, const Limits& limits,
                                const Reader& reader);
  Error Cancelled(const ClientRequest& request, Exchange& exchange, ErrorCode code, std::string_view why) const;

  const ClientOptions options_;
  Status usable_;  // why no request can be sent; set by the constructor
  std::unique_ptr<web::http::client::http_client> client_;
};

HttpClient::Impl::Impl(ClientOptions options) : options_(std::move(options)) {
  SetThreadsOnce(kDefaultThreads);
  const TlsMaterial tls{options_.ca_pem, options_.client_certificate_pem, options_.client_key_pem};
  usable_ = CheckTls(tls);
  if (!usable_.ok()) return;

  web::http::client::http_client_config config;
  config.set_timeout(kLibraryTimeout);
  config.set_max_redirects(0);
  config.set_validate_certificates(!options_.insecure_skip_tls_verify);
  config.set_ssl_context_callback([tls](boost::asio::ssl::context& context) {
    const Status applied = ApplyTls(tls, context.native_handle());
    if (!applied.ok()) throw std::runtime_error(applied.error().message());
  });
  try {
    const web::uri base(options_.base_url);
    if (base.host().empty() || (base.scheme() != "http" && base.scheme() != "https")) {
      throw std::invalid_argument("it needs http:// or https:// and a host");
    }
    if (!base.path().empty() && base.path() != "/") throw std::invalid_argument("it has a path");
    if (base.host().front() == '[') throw std::invalid_argument("IPv6 literals are not supported, use a host name");
    if (base.host().find(':') != std::string::npos) throw std::invalid_argument("its port is no number");
    const bool tls_used = base.scheme() == "https";
    boost::system::error_code no_address;
    boost::asio::ip::make_address(base.host(), no_address);
    // RFC 6066 section 3: an address is no server name.
    config.set_tlsext_sni_enabled(no_address.failed() || !options_.server_name.empty());
    config.set_nativehandle_options([tls_used](web::http::client::native_handle handle) {
      using Socket = boost::asio::ip::tcp::socket;
      if (tls_used) {
        RefuseStaleConnection(static_cast<boost::asio::ssl::stream<Socket&>*>(handle)->next_layer());
      } else {
        RefuseStaleConnection(*static_cast<Socket*>(handle));
      }
    });
    client_ = std::make_unique<web::http::client::http_client>(base, config);
  } catch (const std::exception& error) {
    usable_ = Invalid(fmt::format("base_url '{}' is no server's address: {}; write it like https://10.0.0.1:6443",
                                  options_.base_url, error.what()));
  }
}

Status HttpClient::Impl::AddHeaders(const ClientRequest& request, web::http::http_request& out) const {
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name)) return Invalid(fmt::format("'{}' is no header name", name));
    if (HasControl(value)) return Invalid(fmt::format("header {} has a control character in its value", name));
    out.headers().add(name, value);
  }
  // The library verifies the certificate against this header where there is one.
  if (!options_.server_name.empty()) {
    if (HasControl(options_.server_name)) return Invalid("server_name has a control character in it");
    out.headers().remove("Host");
    out.headers().add("Host", options_.server_name);
  }
  const std::string token = options_.bearer_token ? options_.bearer_token() : std::string();
  if (token.empty()) return {};
  if (HasControl(token)) return Invalid("the bearer token has a control character in it, perhaps a newline at its end");
  out.headers().remove("Authorization");
  out.headers().add("Authorization", "Bearer " + token);
  return {};
}

Result<web::http::http_request> HttpClient::Impl::ToLibrary(const ClientRequest& request) const {
  if (!IsToken(request.method)) return Invalid(fmt::format("'{}' is no HTTP method", request.method));
  web::http::http_request out(request.method);
  try {
    const web::uri target(request.target);
    // The library takes targets apart and puts them together again; what does not survive that is not sent.
    const std::string sent = web::uri_builder(client_->base_uri()).append(target).to_uri().resource().to_string();
    if (sent != request.target) {
      return Invalid(fmt::format("target '{}' would be sent as '{}'; encode it", request.target, sent));
    }
    out.set_request_uri(target);
  } catch (const web::uri_exception&) {
    return Invalid(fmt::format("target '{}' is no path and query; percent-encode it", request.target));
  }
  HOLDFAST_RETURN_IF_ERROR(AddHeaders(request, out));
  if (!IsSafe(request.method)) {
    out.set_body(OneShot(request.body), request.body.size());
  } else if (!request.body.empty()) {
    out.set_body(std::vector<unsigned char>(request.body.begin(), request.body.end()));
  }
  // The library names a type for every body, also for an empty one.
  if (request.headers.find("Content-Type") == request.headers.end()) out.headers().remove("Content-Type");
  return out;
}

Error HttpClient::Impl::Cancelled(const ClientRequest& request, Exchange& exchange, ErrorCode code,
                                  std::string_view why) const {
  const std::string what = fmt::format("{} {}{}: {}", request.method, options_.base_url, request.target, why);
  if (IsSafe(request.method)) return Error(code, what);
  // "Sent" may still be on its way from the library's thread; without a word from it, the worst is assumed.
  if (exchange.WaitFinished(steady_clock::now() + kCancelGrace) && !exchange.sent()) return Error(code, what);
  return Error(ErrorCode::kOutcomeUnknown, what + " after it was sent");
}

std::optional<Status> HttpClient::Impl::Attempt(const ClientRequest& request, web::http::http_request& out,
                                                const Limits& limits, const Reader& reader) {
  const auto exchange = std::make_shared<Exchange>();
  out.set_response_stream(
      concurrency::streams::streambuf<std::uint8_t>(std::make_shared<BodySink>(exchange)).create_ostream());
  out.set_progress_handler([exchange](web::http::message_direction::direction direction, utility::size64_t) {
    if (direction == web::http::message_direction::upload) exchange->Sent();
  });

  pplx::cancellation_token_source cancellation;
  // Every task's failure is looked at by the next one: the library ends the process for a failure nobody saw.
  client_->request(out, cancellation.get_token()).then([exchange](const pplx::task<web::http::http_response>& answer) {
    try {
      const web::http::http_response response = answer.get();
      exchange->Answered(response.status_code(), ToHeaders(response.headers()));
      response.content_ready().then([exchange](const pplx::task<web::http::http_response>& body) {
        try {
          body.get();
          exchange->Finish(std::nullopt);
        } catch (...) {
          exchange->Finish(Describe(std::current_exception()));
        }
      });
    } catch (...) {
      exchange->Finish(Describe(std::current_exception()));
    }
  });
  // Cancelling closes the connection, so that neither the library nor the server works for nobody.
  const auto cancel = [&] {
    cancellation.cancel();
    exchange->Abandon();
  };

  const auto connect_by = steady_clock::now() + options_.connect_timeout;
  auto idle_since = steady_clock::now();
  bool connected = false;
  while (true) {
    auto until = limits.deadline.WaitUntil();
    if (limits.idle) until = std::min(until, idle_since + *limits.idle);
    const bool connecting = !connected && connect_by < until;
    if (connecting) until = connect_by;
    switch (exchange->Next(until, limits.stop)) {
      case Exchange::Event::kSent:
        connected = true;
        break;
      case Exchange::Event::kAnswered:
        idle_since = steady_clock::now();
        if (reader.head(exchange->status(), exchange->TakeHeaders())) break;
        cancel();
        return Status();
      case Exchange::Event::kBytes:
        if (reader.bytes(exchange->TakeBytes())) {
          // Taken after the reader has had its time: while it works, the server is held back and cannot be idle.
          idle_since = steady_clock::now();
          break;
        }
        cancel();
        return Status();
      case Exchange::Event::kEnd:
        return Status();
      case Exchange::Event::kFailed: {
        const Exchange::Failure failure = exchange->failure();
        if (failure.stale_connection) return std::nullopt;
        const bool unknown = exchange->sent() && !IsSafe(request.method);
        return Error(unknown ? ErrorCode::kOutcomeUnknown : ErrorCode::kUnavailable,
                     fmt::format("{} {}{}: {}", request.method, options_.base_url, request.target, failure.message));
      }
      case Exchange::Event::kTimedOut:
        cancel();
        if (connecting) {
          return Cancelled(
              request, *exchange, ErrorCode::kUnavailable,
              fmt::format("no connection within {} ms (connect_timeout)", options_.connect_timeout.count()));
        }
        return Cancelled(
            request, *exchange, ErrorCode::kDeadlineExceeded,
            limits.deadline.Expired() ? "no answer before the deadline" : "no byte within the idle timeout");
      case Exchange::Event::kStopped:
        cancel();
        return Cancelled(request, *exchange, ErrorCode::kCancelled, "cancelled");
    }
  }
}

Status HttpClient::Impl::Drive(const ClientRequest& request, const Limits& limits, const Reader& reader) {
  if (!usable_.ok()) return usable_;
  if (limits.stop.stop_requested()) return Error(ErrorCode::kCancelled, "cancelled before the request was sent");
  // Every stale connection leaves the pool when it is found, so this ends with a fresh one.
  while (!limits.deadline.Expired()) {
    HOLDFAST_ASSIGN_OR_RETURN(web::http::http_request out, ToLibrary(request));
    std::optional<Status> status = Attempt(request, out, limits, reader);
    if (status) return std::move(*status);
  }
  return Error(ErrorCode::kDeadlineExceeded, "the deadline had passed before the request was sent");
}

void HttpClient::SetThreads(int threads) {
  SetThreadsOnce(threads);
}

void HttpClient::IgnoreSystemAuthorities() {
  for (const char* variable : {X509_get_default_cert_file_env(), X509_get_default_cert_dir_env()}) {
    setenv(variable, "/dev/null", 1);
  }
}

HttpClient::HttpClient(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

Result<ClientResponse> HttpClient::Send(const ClientRequest& request, Deadline deadline) {
  ClientResponse response;
  Status too_large;
  Impl::Reader reader;
  reader.head = [&](int status, Headers headers) {
    response.status = status;
    response.headers = std::move(headers);
    return true;
  };
  reader.bytes = [&](std::string_view bytes) {
    if (bytes.size() > impl_->max_response_bytes() - response.body.size()) {
      too_large = Error(ErrorCode::kResourceExhausted,
                        fmt::format("{} {}: the answer is longer than {} bytes (max_response_bytes)", request.method,
                                    request.target, impl_->max_response_bytes()));
      return false;
    }
    response.body.append(bytes);
    return true;
  };
  Impl::Limits limits;
  limits.deadline = deadline;
  HOLDFAST_RETURN_IF_ERROR(impl_->Drive(request, limits, reader));
  if (!too_large.ok()) return std::move(too_large).error();
  return response;
}

Result<HttpClient::StreamEnd> HttpClient::Stream(const ClientRequest& request, const StreamOptions& options,
                                                 std::stop_token stop,
                                                 const std::function<bool(std::string_view line)>& on_line) {
  StreamEnd end;
  LineSplitter lines(options.max_line_bytes, on_line);
  Impl::Reader reader;
  reader.head = [&](int status, const Headers&) {
    end.status = status;
    return true;
  };
  reader.bytes = [&](std::string_view bytes) {
    if (end.status == 200) return lines.Feed(bytes) == LineSplitter::State::kGoingOn;
    end.error_body.append(bytes.substr(0, options.max_line_bytes - end.error_body.size()));
    return end.error_body.size() < options.max_line_bytes;
  };
  Impl::Limits limits;
  limits.idle = options.idle_timeout;
  limits.stop = std::move(stop);
  HOLDFAST_RETURN_IF_ERROR(impl_->Drive(request, limits, reader));
  if (lines.state() == LineSplitter::State::kLineTooLong) {
    return Error(ErrorCode::kResourceExhausted, fmt::format("{} {}: a line is longer than {} bytes (max_line_bytes)",
                                                            request.method, request.target, options.max_line_bytes));
  }
  lines.Finish();
  return end;
}

}  // namespace holdfast::http
