// A small HTTP/1.1 server for control traffic: the admin port of both binaries and the in-memory API server. A bounded
// number of connections, one thread each; not for the data plane (service/api has its own server). Refuses malformed or
// ambiguous framing with 400, a header block above 16 KiB with 431 and a body above `max_body_bytes` with 413, and
// closes. Whoever is silent, or slower than `idle_timeout` for a whole header block or a whole body, is closed too,
// with 408 when part of a request had come. One connection more than `max_connections` gets 503.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/http/http_client.h"
#include "base/result/result.h"

namespace holdfast::http {

struct ListenerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free port, see HttpListener::port()
  std::size_t max_connections = 256;
  std::size_t max_body_bytes = 3u << 20;
  std::chrono::milliseconds idle_timeout{60'000};
};

struct ServerRequest {
  std::string method;
  std::string target;  // as sent: path and query, not decoded
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:51234"
};

// What a handler answers with: Send once, or Begin, any number of Write and return (chunked). Used from the thread
// that called the handler only. A handler that gives no answer or throws has answered 500; a stream whose handler
// throws, or returns because the listener stops, is broken off without its end, so that no reader takes it for whole.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual void Send(int status, Headers headers, std::string body) = 0;
  // False when the peer has gone; the handler returns then.
  virtual bool Begin(int status, Headers headers) = 0;
  virtual bool Write(std::string_view data) = 0;
  // True when the peer closed its side or the listener stops; streaming handlers poll it between writes.
  virtual bool Gone() const = 0;
};

using ListenerHandler = std::function<void(const ServerRequest&, ResponseWriter&)>;

class HttpListener {
 public:
  // Bound and answering when this returns. kUnavailable, naming address and port, when the port is taken;
  // kInvalidArgument for an address that is none.
  static Result<std::unique_ptr<HttpListener>> Start(const ListenerOptions& options, ListenerHandler handler);
  // Closes the listener and every connection, and joins the threads; so handlers must return once Gone() is true.
  ~HttpListener();

  std::uint16_t port() const;

 private:
  class Impl;
  explicit HttpListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::http
