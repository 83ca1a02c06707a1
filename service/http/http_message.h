// What the data plane's server and its handlers exchange. The server (http_server.h) knows the wire and nothing of
// stores; the handlers know stores and nothing of sockets.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/http/incoming_body.h"
#include "service/storage/types.h"

namespace holdfast::api {

enum class Method { kGet, kHead, kPut, kPost, kDelete, kOptions, kPatch, kOther };

// Whom a client's certificate names, once the TLS handshake has verified it.
struct ClientCertificate {
  std::string common_name;             // of the subject; empty = none
  std::vector<std::string> dns_names;  // subject alternative names
  std::vector<std::string> uris;       // ... such as spiffe://cluster.local/ns/shop/sa/cart
};

// Views reach into the connection's buffer and are good until the Responder has been used or dropped; a handler that
// goes on elsewhere copies what it needs first. The body is owned and may be moved out.
struct Request {
  Method method = Method::kGet;
  std::string_view method_name;
  std::string_view path;                                               // as sent, not decoded, up to '?'
  std::string_view query;                                              // as sent, behind '?'
  std::vector<std::pair<std::string_view, std::string_view>> headers;  // in order, names as sent
  std::string body;
  // Of a request whose body is taken in pieces (BodyTerms::in_pieces), instead of `body`; null where it has none.
  std::shared_ptr<IncomingBody> incoming;
  std::string_view peer_address;  // the client's IP address, without a port
  // Null unless the server asks clients for one. Good as long as the views.
  const ClientCertificate* client_certificate = nullptr;

  // Value of the first header of that name (case-insensitive), or nothing.
  const std::string_view* Find(std::string_view name) const;
  std::size_t CountOf(std::string_view name) const;
};

// A body that comes in pieces and may take long: an event stream, an export. It is pulled when the socket has room, so
// a slow client holds up nothing but itself and nothing is queued for it.
//
// It goes out in chunks, to a client of HTTP/1.0 up to the end of the connection, and not at all for HEAD and for a
// status without a body: then it is let go unstarted. While it waits no timeout runs.
class BodyStream {
 public:
  // Ends with the last piece, or when the connection ends; from any thread.
  virtual ~BodyStream() = default;
  enum class State {
    kMore,    // call again when there is room
    kWait,    // nothing to send now; `wake` is called when that may have changed
    kEnd,     // complete
    kFailed,  // cannot be completed: the connection is cut, so that the client does not take it for the whole
  };
  // Once, before the first Pull. `wake` may be called from any thread, at any time, any number of times, also after the
  // connection is gone, and while Pull runs.
  virtual void Start(std::function<void()> wake) = 0;
  // Appends roughly up to `most` bytes to `out`. On an I/O thread, one call at a time; must not block. May come without
  // a wake.
  virtual State Pull(std::string* out, std::size_t most) = 0;
  // One without an end, such as events, is over when the client stops sending, and at shutdown, at once. Anything else,
  // such as an export, goes on to a client that has only finished sending, and at shutdown may use the time that
  // requests in progress have. In every case a body that is not complete ends without the last chunk.
  virtual bool endless() const { return true; }
};

using storage::kDefaultContentType;

struct Response {
  int status = 200;
  std::string content_type;   // empty = the one of `entry`, if that is set; see ContentTypeOf
  storage::Version etag = 0;  // not 0: sent as ETag
  // Beside Content-Type, ETag, Content-Length, Date, Server.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // When set, the body is this entry's value, sent without a copy, and `body` is ignored.
  storage::EntryPtr entry;
  // When set, the body is what it gives, sent in chunks, and `body` and `entry` are ignored.
  std::shared_ptr<BodyStream> stream;
  bool close = false;  // close the connection behind this response
};

// What is sent as Content-Type, read where it stands; empty = none.
std::string_view ContentTypeOf(const Response& response);

// Answers one request; exactly once, from any thread: a second Send is ignored. Dropping it unused answers 500, so that
// a handler that loses its way leaves no client waiting. Movable, cheap.
class Responder {
 public:
  class Channel {
   public:
    virtual ~Channel() = default;
    virtual void Deliver(Response&& response) = 0;
    // The responder was dropped unused.
    virtual void Abandon();
    // Lets go of it, where there is no client that could leave.
    virtual void WhenGone(std::function<void()> gone);
  };
  explicit Responder(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  Responder(Responder&& other) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  ~Responder();
  void Send(Response&& response);
  // For a request that is held for long: `gone` is called when the connection ends, or the client is seen to have left,
  // before the whole answer has been handed to the kernel. At most once, from any thread, also before this returns and
  // beside Send; short, without an exception. Else it is let go, never called, once the answer is out.
  //
  // A client that finishes sending counts as gone, because to TCP that looks the same, and is cut off without an
  // answer. One that sends more than 16 KiB ahead of its next request is only noticed when the answer is sent.
  void WhenGone(std::function<void()> gone);

 private:
  std::shared_ptr<Channel> channel_;
};

// On which terms the body of a request is taken.
struct BodyTerms {
  // A longer one is refused with 413 and the connection closed.
  std::size_t max_bytes = 0;
  // Handle is called at once, with Request::incoming, which may be read from any thread that may block. Of such a body
  // only an announced length is held against max_bytes, and no time limit to the whole, only one for each piece. An
  // answer before its end closes the connection behind it.
  bool in_pieces = false;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Called on an I/O thread; must not block. `request` and its views live until the responder is used or dropped.
  virtual void Handle(Request& request, Responder responder) = 0;
  // Asked once the header block of a request that announces a body is complete, before any of the body is read.
  virtual BodyTerms TermsOfBody(const Request& request) const = 0;
  // The answers for what the server itself refuses (malformed framing 400, 408, 413, 414, 417, 431, 505; too many
  // connections 503; a dropped Responder 500), in the API's problem format. `detail` is fit for a client. Called on any
  // I/O thread, also beside Handle of another connection.
  virtual Response Refuse(int status, std::string_view code, std::string_view detail) const = 0;
};

}  // namespace holdfast::api
