// One client: reads a request, hands it to the handler, writes the answer, in a loop that never recurses. Private to
// the room; everything but Deliver, Abandon, WhenGone and what a stream is woken with runs on the loop's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/http/body_intake.h"
#include "service/http/chunk_decoder.h"
#include "service/http/event_loop.h"
#include "service/http/head_parser.h"
#include "service/http/head_scanner.h"
#include "service/http/http_message.h"
#include "service/http/input_buffer.h"
#include "service/http/output_buffer.h"
#include "service/http/refusal.h"
#include "service/http/streamed_body.h"
#include "service/http/timeouts.h"
#include "service/http/tls_session.h"

namespace holdfast::api {

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

class Connection final : public Responder::Channel,
                         public std::enable_shared_from_this<Connection>,
                         private TimeoutEntry {
 public:
  // `certificates`: what a TLS handshake uses; null = plain.
  Connection(std::shared_ptr<EventLoop> loop, Socket socket, const boost::asio::ip::address& peer,
             const std::shared_ptr<SSL_CTX>& certificates);
  ~Connection() override;

  static Connection& OfTimeout(TimeoutEntry& entry) { return static_cast<Connection&>(entry); }

  const boost::asio::ip::address& peer() const { return peer_; }

  void Start();
  void OnTimeout(Timeout kind);
  // None: the handler has dropped the request.
  void OnDelivered(std::optional<Response> response);
  // As Responder::WhenGone.
  void OnWhenGone(std::function<void()> gone);
  // The stream may have something to send.
  void OnWake();
  // The server shuts down: ends it when no request is in progress and nothing is left to send, and ends a stream that
  // would go on for ever.
  void OnDrain();
  // At once. May destroy the connection unless the caller holds it.
  void Close();

  // From any thread.
  void Deliver(Response&& response) override;
  void Abandon() override;
  void WhenGone(std::function<void()> gone) override;

 private:
  // What the connection is doing with the request in progress.
  enum class Phase {
    kHandshake,  // none yet: TLS is being agreed on
    kHead,       // reading its head
    kBody,       // reading its body
    kHandle,     // it is complete and goes to the handler next
    kReceive,    // the handler has it, and takes its body as it comes
    kWait,       // the handler has it
    kRespond,    // response_ is there and goes into the output next
    kStream,     // its head has gone into the output, its body is pulled as the client takes it
    kClosing,    // the last answer is being sent
    kLinger,     // ... has been sent; input is read and thrown away until the client closes
    kClosed,
  };
  // What the loop in Advance does next.
  enum class Next { kGoOn, kRead, kFlush, kStop, kWatch, kYield };

  void Advance();
  Next Handshake();
  Next RefusePlain(char first);
  Next ReadHead();
  Next TakeHead();
  Next ReadBody();
  Next ReadSizedBody();
  Next ReadChunkedBody();
  void BeginIncoming();
  Next Receive();
  // The handler has all of it that it will get.
  void EndIncoming();
  // ... and that is not the whole.
  void CutIncoming(Error error);
  Next Handle();
  Next Respond();
  Next RespondWithStream();
  Next EndResponse();
  Next Stream();
  Next EndStream();
  Next CutStream();
  Next BeginLinger();
  Next Refuse(const Refusal& refusal);
  Next RefuseOverload();
  Response Dropped() const;
  bool AnsweredInPlace() const;

  // False when sending has to wait, or failed and closed the connection; Advance is then called again or never.
  bool Flush();
  void Read();
  void ReadTls();
  void OnTlsReady(const boost::system::error_code& error);
  // What is there, without waiting for more.
  TlsSession::Outcome ReadNow(std::span<char> into, std::size_t& bytes);
  boost::asio::mutable_buffer ReadTarget();
  void OnRead(const boost::system::error_code& error, std::size_t bytes);
  void OnWritable(const boost::system::error_code& error);
  void EndRequest();
  ConnectionHeader HeaderForNext() const;

  // From any thread.
  void Wake();
  // Notices that the client has gone while nothing is read or written.
  void Watch();
  void OnReadable(const boost::system::error_code& error);
  // Takes in what the client has sent ahead of its answer.
  enum class Ahead { kOpen, kEnded, kClosed };
  Ahead ReadAhead();
  // Lets the loop serve others before it goes on with the stream.
  void Yield();

  const std::shared_ptr<EventLoop> loop_;
  const ServerLimits& limits_;
  Handler& handler_;
  Socket socket_;
  const boost::asio::ip::address peer_;
  const std::string peer_text_;
  std::optional<TlsSession> tls_;  // until the last answer has been sent
  std::unique_ptr<const ClientCertificate> client_certificate_;

  Phase phase_ = Phase::kHead;
  bool reading_ = false;           // a read is outstanding
  bool waiting_to_write_ = false;  // the socket's buffer is full
  bool in_handle_ = false;         // inside Handler::Handle
  bool delivered_ = false;         // response_ was given while in_handle_
  bool close_after_ = false;       // the response in progress is the last
  bool ends_body_ = false;         // the client takes the end of the connection for the end of the body
  bool in_progress_ = false;       // counted as a request that was not answered at once
  bool watching_ = false;          // a wait of Watch is outstanding
  bool yielding_ = false;          // ... one of Yield
  bool hello_seen_ = false;        // the client has begun a TLS handshake

  InputBuffer input_;
  OutputBuffer output_;
  HeadScanner scanner_;
  Request request_;
  Framing framing_;
  std::size_t body_bytes_ = 0;  // received of a body with Content-Length; request_.body may be longer, to read into
  bool continue_sent_ = false;
  std::optional<ChunkDecoder> chunks_;
  std::unique_ptr<BodyIntake> intake_;  // of a body that is taken in pieces, which few are
  Response response_;
  std::function<void()> gone_;  // until the answer has been sent
  std::string ahead_;           // read while the handler has the request, whose views must not move
  std::optional<StreamedBody> stream_;
  int pulls_ = 0;                          // since other connections were last served
  std::atomic<bool> wake_pending_{false};  // OnWake is on its way
};

}  // namespace holdfast::api
