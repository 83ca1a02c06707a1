// What the data plane's server and its handlers exchange. The server (http_server.h) knows the wire and nothing of
// stores; the handlers know stores and nothing of sockets.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/storage/types.h"

namespace holdfast::api {

enum class Method { kGet, kHead, kPut, kPost, kDelete, kOptions, kPatch, kOther };

// Views reach into the connection's buffer and are good until the Responder has been used or dropped; a handler that
// goes on elsewhere copies what it needs first. The body is owned and may be moved out.
struct Request {
  Method method = Method::kGet;
  std::string_view method_name;
  std::string_view path;                                               // as sent, not decoded, up to '?'
  std::string_view query;                                              // as sent, behind '?'
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // in order, names as sent
  std::string body;

  // Value of the first header of that name (case-insensitive), or nothing.
  const std::string_view* Find(std::string_view name) const;
  std::size_t CountOf(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type;                                  // empty = none
  std::vector<std::pair<std::string, std::string>> headers;  // beside Content-Type, Content-Length, Date, Server
  std::string body;
  // When set, the body is this entry's value, sent without a copy, and `body` is ignored.
  storage::EntryPtr entry;
  bool close = false;  // close the connection behind this response
};

// Answers one request; exactly once, from any thread: a second Send is ignored. Dropping it unused answers 500, so that
// a handler that loses its way leaves no client waiting. Movable, cheap.
class Responder {
 public:
  class Channel {
   public:
    virtual ~Channel() = default;
    virtual void Deliver(Response response) = 0;
    // The responder was dropped unused.
    virtual void Abandon();
  };
  explicit Responder(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  Responder(Responder&& other) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();
  void Send(Response response);

 private:
  std::shared_ptr<Channel> channel_;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Called on an I/O thread; must not block. `request` and its views live until the responder is used or dropped.
  virtual void Handle(Request& request, Responder responder) = 0;
  // Asked once the header block of a request that announces a body is complete, before any of the body is read: the
  // largest body this request may carry. A longer one is refused with 413 and the connection closed.
  virtual std::size_t MaxBodyBytes(const Request& request) const = 0;
  // The answers for what the server itself refuses (malformed framing 400, 408, 413, 414, 417, 431, 505; too many
  // connections 503; a dropped Responder 500), in the API's problem format. `detail` is fit for a client. Called on any
  // I/O thread, also beside Handle of another connection.
  virtual Response Refuse(int status, std::string_view code, std::string_view detail) const = 0;
};

}  // namespace holdfast::api
