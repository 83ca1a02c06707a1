#include "base/http/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <iterator>

#include "base/log/log.h"

namespace holdfast::http {
namespace {

namespace beast = boost::beast;
using std::chrono::steady_clock;
using Parser = beast::http::request_parser<beast::http::string_body>;

constexpr std::uint32_t kMaxHeaderBytes = 16u << 10;

std::string_view Reason(int status) {
  const auto reason = beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(status)));
  return {reason.data(), reason.size()};
}

bool HasBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

// A value that would end its line would let whoever chose it write headers of his own.
bool IsOneLine(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

class SocketResponseWriter : public ResponseWriter {
 public:
  SocketResponseWriter(Connection& connection, std::chrono::milliseconds patience, bool head, bool http11,
                       bool keep_alive)
      : connection_(connection), patience_(patience), head_(head), http11_(http11), keep_alive_(keep_alive) {}

  void Send(int status, Headers headers, std::string body) override {
    if (begun_) return;
    begun_ = true;
    complete_ = true;
    if (HasBody(status)) headers["Content-Length"] = std::to_string(body.size());
    std::string message = Head(status, std::move(headers));
    if (!head_ && HasBody(status)) message += body;
    broken_ = !connection_.Write(message, patience_);
  }

  bool Begin(int status, Headers headers) override {
    if (begun_) return false;
    begun_ = true;
    if (http11_) {
      headers["Transfer-Encoding"] = "chunked";
    } else {
      keep_alive_ = false;  // its end is the connection's end
    }
    broken_ = !connection_.Write(Head(status, std::move(headers)), patience_);
    return !broken_;
  }

  bool Write(std::string_view data) override {
    if (!begun_ || complete_ || broken_) return false;
    // An empty chunk would end the body.
    if (data.empty() || head_) return true;
    std::string chunk;
    if (http11_) chunk = fmt::format("{:x}\r\n", data.size());
    chunk.append(data);
    if (http11_) chunk.append("\r\n");
    broken_ = !connection_.Write(chunk, patience_);
    return !broken_;
  }

  bool Gone() const override { return broken_ || connection_.Gone(); }

  // Called when the handler has returned: a streamed body ends here, a forgotten answer becomes a 500.
  void Complete() {
    if (!begun_) Send(500, {{"Content-Type", "text/plain"}}, "no answer was given\n");
    if (complete_ || broken_) return;
    complete_ = true;
    // While the listener stops, the end is left out: the reader must not take a cut stream for a finished one.
    if (connection_.Stopped()) {
      broken_ = true;
    } else if (http11_ && !head_) {
      broken_ = !connection_.Write("0\r\n\r\n", patience_);
    }
  }
  void Break() { broken_ = true; }
  bool begun() const { return begun_; }
  bool reusable() const { return keep_alive_ && !broken_; }

 private:
  std::string Head(int status, Headers headers) const {
    headers["Connection"] = keep_alive_ ? "keep-alive" : "close";
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, Reason(status));
    for (const auto& [name, value] : headers) {
      if (!IsOneLine(name) || !IsOneLine(value)) {
        log::Error("a response header was left out: it has a line break", {{"header", name}});
        continue;
      }
      fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
    }
    return head += "\r\n";
  }

  Connection& connection_;
  const std::chrono::milliseconds patience_;
  const bool head_;
  const bool http11_;
  bool keep_alive_;
  bool begun_ = false;
  bool complete_ = false;
  bool broken_ = false;
};

struct Refusal {
  int status = 400;
  std::string_view why;
};

// What Beast's parser accepts though two servers in a row might understand it differently (request smuggling), or
// though HTTP/1.1 forbids it.
std::optional<Refusal> CheckFraming(const Parser::value_type& message) {
  namespace field = beast::http;
  if (message.count(field::field::transfer_encoding) != 0) {
    if (message.version() < 11) return Refusal{400, "Transfer-Encoding needs HTTP/1.1"};
    if (message.count(field::field::content_length) != 0) {
      return Refusal{400, "both Content-Length and Transfer-Encoding"};
    }
    if (!beast::iequals(message[field::field::transfer_encoding], "chunked")) {
      return Refusal{501, "the only Transfer-Encoding known here is chunked"};
    }
  }
  if (message.count(field::field::content_length) > 1) return Refusal{400, "more than one Content-Length"};
  const std::size_t hosts = message.count(field::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) return Refusal{400, "there must be one Host header"};
  return std::nullopt;
}

Refusal RefusalFor(const boost::system::error_code& error) {
  namespace http = beast::http;
  if (error == http::error::header_limit) return {431, "the header block is larger than 16 KiB"};
  if (error == http::error::body_limit) return {413, "the body is larger than max_body_bytes"};
  if (error == boost::system::errc::timed_out) return {408, "the request did not arrive in time"};
  return {400, "the request is malformed"};
}

void Refuse(Connection& connection, const ListenerOptions& options, const Refusal& refusal) {
  SocketResponseWriter writer(connection, options.idle_timeout, false, true, false);
  writer.Send(refusal.status, {{"Content-Type", "text/plain"}}, std::string(refusal.why) + "\n");
  connection.Linger();
}

ServerRequest ToRequest(Parser::value_type message, std::string peer) {
  ServerRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    std::string& value = request.headers[std::string(field.name_string())];
    if (!value.empty()) value += ", ";
    value += std::string(field.value());
  }
  request.body = std::move(message.body());
  request.peer = std::move(peer);
  return request;
}

void Call(const ListenerHandler& handler, const ServerRequest& request, SocketResponseWriter& writer) {
  // A handler's mistake must not take the process with it: this thread has nobody above it to catch.
  try {
    handler(request, writer);
    writer.Complete();
  } catch (const std::exception& error) {
    log::Error("a request handler failed",
               {{"method", request.method}, {"target", request.target}, {"error", error.what()}});
    if (!writer.begun()) writer.Send(500, {{"Content-Type", "text/plain"}}, "internal error\n");
    writer.Break();
  }
}

// One request and its answer; true when another may follow.
bool ServeOne(Connection& connection, beast::flat_buffer& buffer, const ListenerOptions& options,
              const ListenerHandler& handler) {
  Parser parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(options.max_body_bytes);
  boost::system::error_code error;
  connection.SetReadDeadline(steady_clock::now() + options.idle_timeout);
  beast::http::read_header(connection, buffer, parser, error);
  if (error) {
    const bool nothing_came = !parser.got_some() && buffer.size() == 0;
    const bool gone = error == beast::http::error::end_of_stream || error == boost::system::errc::operation_canceled ||
                      error == boost::system::errc::connection_reset;
    if (!gone && !(nothing_came && error == boost::system::errc::timed_out)) {
      Refuse(connection, options, RefusalFor(error));
    }
    return false;
  }
  if (const std::optional<Refusal> refusal = CheckFraming(parser.get())) {
    Refuse(connection, options, *refusal);
    return false;
  }
  const beast::string_view expect = parser.get()[beast::http::field::expect];
  if (!parser.is_done() && parser.get().version() >= 11 && beast::iequals("100-continue", expect) &&
      !connection.Write("HTTP/1.1 100 Continue\r\n\r\n", options.idle_timeout)) {
    return false;
  }
  connection.SetReadDeadline(steady_clock::now() + options.idle_timeout);
  if (!parser.is_done()) beast::http::read(connection, buffer, parser, error);
  if (error) {
    Refuse(connection, options, RefusalFor(error));
    return false;
  }
  SocketResponseWriter writer(connection, options.idle_timeout, parser.get().method() == beast::http::verb::head,
                              parser.get().version() >= 11, parser.keep_alive());
  Call(handler, ToRequest(parser.release(), connection.Peer()), writer);
  return writer.reusable();
}

}  // namespace

void ServeConnection(Connection& connection, const ListenerOptions& options, const ListenerHandler& handler) {
  // Room for a whole header block and a piece of the body.
  beast::flat_buffer buffer(2 * std::size_t{kMaxHeaderBytes});
  while (!connection.Stopped() && ServeOne(connection, buffer, options, handler)) {
  }
}

}  // namespace holdfast::http
