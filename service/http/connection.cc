#include "service/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "base/log/log.h"

namespace holdfast::api {
namespace {

// A body's memory grows with what has arrived, not with what was announced.
constexpr std::size_t kBodyStepBytes = 64u << 10;
// A body's memory beyond this is given back between requests.
constexpr std::size_t kKeptBodyBytes = 16u << 10;
// The least a read of a head or of chunks asks for.
constexpr std::size_t kHeadReadBytes = 512;
constexpr std::size_t kChunkReadBytes = 16u << 10;

}  // namespace

Connection::Connection(std::shared_ptr<EventLoop> loop, Socket socket, const boost::asio::ip::address& peer,
                       const std::shared_ptr<SSL_CTX>& certificates)
    : loop_(std::move(loop)),
      limits_(loop_->state().limits),
      handler_(*loop_->state().handler),
      socket_(std::move(socket)),
      peer_(peer),
      peer_text_(peer.to_string()),
      scanner_(limits_) {
  request_.peer_address = peer_text_;
  if (!certificates) return;
  tls_.emplace(certificates.get(), socket_.native_handle());
  phase_ = Phase::kHandshake;
}

Connection::~Connection() = default;

void Connection::Start() {
  boost::system::error_code ignored;
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  if (tls_) loop_->Arm(*this, Timeout::kHeader);
  Advance();
}

void Connection::Advance() {
  for (Next next = Next::kGoOn;;) {
    switch (phase_) {
      case Phase::kHandshake:
        next = Handshake();
        break;
      case Phase::kHead:
        next = ReadHead();
        break;
      case Phase::kBody:
        next = ReadBody();
        break;
      case Phase::kHandle:
        next = Handle();
        break;
      case Phase::kReceive:
        next = Receive();
        break;
      case Phase::kWait:
        next = Next::kFlush;
        break;
      case Phase::kRespond:
        next = Respond();
        break;
      case Phase::kStream:
        next = Stream();
        break;
      case Phase::kClosing:
        next = BeginLinger();
        break;
      case Phase::kLinger:
        next = Next::kRead;
        break;
      case Phase::kClosed:
        return;
    }
    if (next == Next::kGoOn) continue;
    // What was answered goes out before anything is waited for.
    if (next == Next::kStop || !Flush()) return;
    if (next == Next::kRead) return Read();
    if (next == Next::kWatch) return Watch();
    if (next == Next::kYield) return Yield();
    if (phase_ == Phase::kReceive) return;
    if (phase_ == Phase::kWait) {
      if (gone_) Watch();
      return;
    }
  }
}

Connection::Next Connection::ReadHead() {
  switch (scanner_.Scan(input_.request())) {
    case HeadScanner::State::kComplete:
      return TakeHead();
    case HeadScanner::State::kRefused:
      return Refuse(scanner_.refusal());
    case HeadScanner::State::kIncomplete:
      break;
  }
  if (input_.request().empty()) {
    if (loop_->state().draining) {
      phase_ = Phase::kClosing;
      return Next::kFlush;
    }
    loop_->Arm(*this, Timeout::kIdle);
  } else if (!armed_for(Timeout::kHeader)) {
    // Not moved by later bytes: a client that trickles its head has no more time than one that stops.
    loop_->Arm(*this, Timeout::kHeader);
  }
  return Next::kRead;
}

Connection::Next Connection::TakeHead() {
  const std::string_view head =
      input_.request().substr(scanner_.head_begin(), scanner_.head_end() - scanner_.head_begin());
  if (const auto refusal = ParseHead(head, request_, framing_)) return Refuse(*refusal);
  input_.Consume(scanner_.head_end());
  if (loop_->state().admission.overloaded()) return RefuseOverload();
  if (!framing_.has_body()) {
    phase_ = Phase::kHandle;
    return Next::kGoOn;
  }
  const BodyTerms terms = handler_.TermsOfBody(request_);
  if (framing_.content_length > terms.max_bytes) {
    return Refuse({413, "too_large",
                   fmt::format("the body of {} bytes is longer than the limit of {} bytes", framing_.content_length,
                               terms.max_bytes)});
  }
  if (terms.in_pieces) {
    BeginIncoming();
    phase_ = Phase::kHandle;
    return Next::kGoOn;
  }
  if (framing_.chunked) chunks_.emplace(limits_, terms.max_bytes);
  phase_ = Phase::kBody;
  return Next::kGoOn;
}

Connection::Next Connection::ReadBody() {
  const Next next = framing_.chunked ? ReadChunkedBody() : ReadSizedBody();
  if (next != Next::kRead) return next;
  if (framing_.expects_continue && !continue_sent_ && !framing_.http_1_0) {
    // A client that did not wait for it is sending its body already and need not be told to.
    continue_sent_ = true;
    if (request_.body.empty()) output_.text().append(kContinue);
  }
  if (!armed_for(Timeout::kBody)) loop_->Arm(*this, Timeout::kBody);
  return next;
}

Connection::Next Connection::ReadSizedBody() {
  const auto length = static_cast<std::size_t>(framing_.content_length);
  const std::size_t taken = std::min(length - body_bytes_, input_.unread().size());
  if (taken > 0) {
    request_.body.replace(body_bytes_, std::string::npos, input_.unread().substr(0, taken));
    input_.Consume(taken);
    body_bytes_ += taken;
  }
  if (body_bytes_ < length) return Next::kRead;
  phase_ = Phase::kHandle;
  return Next::kGoOn;
}

Connection::Next Connection::ReadChunkedBody() {
  std::string_view unread = input_.unread();
  const std::size_t before = unread.size();
  const ChunkDecoder::State state = chunks_->Decode(unread, request_.body);
  input_.Consume(before - unread.size());
  switch (state) {
    case ChunkDecoder::State::kMore:
      return Next::kRead;
    case ChunkDecoder::State::kRefused:
      return Refuse(chunks_->refusal());
    case ChunkDecoder::State::kDone:
      break;
  }
  phase_ = Phase::kHandle;
  return Next::kGoOn;
}

Connection::Next Connection::Handle() {
  Timeouts::Disarm(*this);
  close_after_ = !framing_.keep_alive;
  phase_ = Phase::kWait;
  in_handle_ = true;
  try {
    handler_.Handle(request_, Responder(shared_from_this()));
  } catch (const std::exception& error) {
    // The responder has died on the way here and answered 500. One request's failure is not the process's.
    log::Error("a handler threw", {{"error", error.what()}});
  }
  in_handle_ = false;
  if (!delivered_) {
    in_progress_ = true;
    loop_->state().admission.BeginRequest();
    if (!intake_) return Next::kFlush;
    phase_ = Phase::kReceive;
    return Next::kGoOn;
  }
  delivered_ = false;
  // Its body is not read: what follows could not be told from it.
  if (intake_) close_after_ = true;
  phase_ = Phase::kRespond;
  return Next::kGoOn;
}

bool Connection::AnsweredInPlace() const {
  return loop_->IsCurrentThread() && in_handle_;
}

void Connection::Deliver(Response&& response) {
  if (!AnsweredInPlace()) return loop_->Deliver(shared_from_this(), std::move(response));
  response_ = std::move(response);
  delivered_ = true;
}

void Connection::Abandon() {
  // Elsewhere the handler may be gone, along with the server: then there is nobody to ask for the words.
  if (!AnsweredInPlace()) return loop_->Deliver(shared_from_this(), std::nullopt);
  response_ = Dropped();
  delivered_ = true;
}

void Connection::WhenGone(std::function<void()> gone) {
  if (!AnsweredInPlace()) return loop_->WhenGone(shared_from_this(), std::move(gone));
  gone_ = std::move(gone);
}

void Connection::OnWhenGone(std::function<void()> gone) {
  if (phase_ == Phase::kClosed) return gone();
  gone_ = std::move(gone);
  Watch();
}

Response Connection::Dropped() const {
  return handler_.Refuse(500, "internal", "the request was dropped without an answer");
}

void Connection::OnDelivered(std::optional<Response> response) {
  if (std::exchange(in_progress_, false)) loop_->state().admission.EndRequest();
  if (phase_ == Phase::kReceive) CutIncoming(Error(ErrorCode::kCancelled, "the request was answered before its end"));
  if (phase_ != Phase::kWait) return;
  // Its end may have come, and its turn on this thread not yet.
  if (gone_ && ReadAhead() == Ahead::kClosed) return;
  response_ = response ? std::move(*response) : Dropped();
  phase_ = Phase::kRespond;
  if (!waiting_to_write_) Advance();
}

Connection::Next Connection::Respond() {
  close_after_ = close_after_ || response_.close || loop_->state().leaving;
  if (response_.stream) return RespondWithStream();
  const std::string_view body = BodyOf(response_);
  AppendResponseHead(response_, body.size(), loop_->DateLine(), HeaderForNext(), output_.text());
  if (request_.method != Method::kHead && StatusHasBody(response_.status)) output_.AppendBody(std::move(response_));
  response_ = {};
  EndRequest();
  return EndResponse();
}

ConnectionHeader Connection::HeaderForNext() const {
  if (close_after_) return ConnectionHeader::kClose;
  return framing_.http_1_0 ? ConnectionHeader::kKeepAlive : ConnectionHeader::kNone;
}

Connection::Next Connection::EndResponse() {
  if (close_after_) {
    phase_ = Phase::kClosing;
    return Next::kFlush;
  }
  phase_ = Phase::kHead;
  return gone_ || output_.full() ? Next::kFlush : Next::kGoOn;
}

void Connection::EndRequest() {
  scanner_.Reset();
  framing_ = {};
  chunks_.reset();
  intake_.reset();
  request_.incoming.reset();
  body_bytes_ = 0;
  continue_sent_ = false;
  request_.method = Method::kOther;
  request_.headers.clear();
  request_.body.clear();
  if (request_.body.capacity() > kKeptBodyBytes) request_.body.shrink_to_fit();
  input_.EndRequest();
  if (ahead_.empty()) return;
  input_.EnsureTail(ahead_.size());
  std::copy(ahead_.begin(), ahead_.end(), input_.tail().begin());
  input_.Commit(ahead_.size());
  ahead_ = {};
}

bool Connection::Flush() {
  if (waiting_to_write_) return false;
  bool progress = false;
  auto outcome = OutputBuffer::Outcome::kAllSent;
  if (!output_.empty()) {
    outcome = tls_ ? output_.SendTo(*tls_, progress) : output_.SendTo(socket_.native_handle(), progress);
  }
  switch (outcome) {
    case OutputBuffer::Outcome::kAllSent:
      if (gone_ && phase_ != Phase::kWait) gone_ = nullptr;
      return true;
    case OutputBuffer::Outcome::kFailed:
      Close();
      return false;
    case OutputBuffer::Outcome::kBlocked:
      break;
  }
  if (progress || !armed_for(Timeout::kWrite)) loop_->Arm(*this, Timeout::kWrite);
  waiting_to_write_ = true;
  socket_.async_wait(boost::asio::socket_base::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) { self->OnWritable(error); });
  return false;
}

void Connection::OnWritable(const boost::system::error_code& error) {
  waiting_to_write_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return Close();
  if (!Flush()) return;
  Timeouts::Disarm(*this);
  Advance();
}

void Connection::Read() {
  if (reading_) return;
  reading_ = true;
  if (tls_) return ReadTls();
  socket_.async_read_some(ReadTarget(), [self = shared_from_this()](const boost::system::error_code& error,
                                                                    std::size_t bytes) { self->OnRead(error, bytes); });
}

boost::asio::mutable_buffer Connection::ReadTarget() {
  if (phase_ == Phase::kReceive) {
    const std::span<char> room = intake_->Room();
    return {room.data(), room.size()};
  }
  if (phase_ == Phase::kBody && !framing_.chunked) {
    // Straight into the body, and never beyond it.
    const auto length = static_cast<std::size_t>(framing_.content_length);
    if (request_.body.size() == body_bytes_) {
      request_.body.resize(std::min(length, body_bytes_ + std::max(body_bytes_, kBodyStepBytes)));
    }
    return {request_.body.data() + body_bytes_, request_.body.size() - body_bytes_};
  }
  if (phase_ == Phase::kBody) {
    input_.Rewind(scanner_.head_end());
    if (input_.EnsureTail(kChunkReadBytes)) {
      // The head has moved; it parsed before, so it parses again.
      const std::string_view head =
          input_.request().substr(scanner_.head_begin(), scanner_.head_end() - scanner_.head_begin());
      static_cast<void>(ParseHead(head, request_, framing_));
    }
  } else {
    if (phase_ == Phase::kLinger) input_.Clear();
    input_.EnsureTail(kHeadReadBytes);
  }
  return {input_.tail().data(), input_.tail().size()};
}

void Connection::OnRead(const boost::system::error_code& error, std::size_t bytes) {
  reading_ = false;
  switch (phase_) {
    case Phase::kHead:
      if (error) return Close();
      input_.Commit(bytes);
      break;
    case Phase::kBody:
      if (error) return Close();
      if (framing_.chunked) {
        input_.Commit(bytes);
      } else {
        body_bytes_ += bytes;
      }
      break;
    case Phase::kReceive:
      if (error) return Close();
      intake_->Commit(bytes);
      break;
    case Phase::kLinger:
      // Cancelled: the read of a request that was refused meanwhile.
      if (error && error != boost::asio::error::operation_aborted) return Close();
      break;
    default:
      // A refusal is being written; its own end comes back to reading.
      return;
  }
  Advance();
}

}  // namespace holdfast::api
