// The part of a connection that speaks TLS. OpenSSL reads and writes the socket itself; the loop only says when.
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <cerrno>

#include "service/http/ascii.h"
#include "service/http/connection.h"

namespace holdfast::api {
namespace {

// The first byte of a TLS record that holds a handshake.
constexpr char kHandshakeRecord = 0x16;

}  // namespace

Connection::Next Connection::Handshake() {
  if (!hello_seen_) {
    char first = 0;
    const ssize_t seen = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen > 0 && first != kHandshakeRecord) return RefusePlain(first);
    if (seen == 0) {
      // A probe of a load balancer, as a rule, and no failed handshake.
      Close();
      return Next::kStop;
    }
    if (seen < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      Close();
      return Next::kStop;
    }
    hello_seen_ = seen > 0;
  }
  auto waits_for = boost::asio::socket_base::wait_read;
  // Before its first byte has been looked at OpenSSL must not take it, or the next record would be looked at in its
  // place.
  switch (hello_seen_ ? tls_->Handshake() : TlsSession::Outcome::kWantRead) {
    case TlsSession::Outcome::kDone:
      Timeouts::Disarm(*this);
      client_certificate_ = tls_->VerifiedClient();
      request_.client_certificate = client_certificate_.get();
      phase_ = Phase::kHead;
      return Next::kGoOn;
    case TlsSession::Outcome::kWantRead:
      break;
    case TlsSession::Outcome::kWantWrite:
      waits_for = boost::asio::socket_base::wait_write;
      break;
    default:
      loop_->state().metrics.tls_handshake().Increment();
      // The alert that says why is on its way; closing over unread bytes would turn it into a reset.
      phase_ = Phase::kClosing;
      return Next::kGoOn;
  }
  socket_.async_wait(waits_for, [self = shared_from_this()](const boost::system::error_code& error) {
    if (self->phase_ != Phase::kHandshake) return;
    if (error) return self->Close();
    self->Advance();
  });
  return Next::kStop;
}

Connection::Next Connection::RefusePlain(char first) {
  tls_.reset();
  if (first >= 'A' && first <= 'Z') return Refuse(Malformed("this port speaks TLS; write the URL with https://"));
  loop_->state().metrics.tls_handshake().Increment();
  Close();
  return Next::kStop;
}

void Connection::ReadTls() {
  const boost::asio::mutable_buffer target = ReadTarget();
  std::size_t bytes = 0;
  const auto on_ready = [self = shared_from_this()](const boost::system::error_code& error) {
    self->OnTlsReady(error);
  };
  switch (tls_->Read({static_cast<char*>(target.data()), target.size()}, bytes)) {
    case TlsSession::Outcome::kDone:
      break;
    case TlsSession::Outcome::kWantRead:
      return socket_.async_wait(boost::asio::socket_base::wait_read, on_ready);
    case TlsSession::Outcome::kWantWrite:
      return socket_.async_wait(boost::asio::socket_base::wait_write, on_ready);
    case TlsSession::Outcome::kEnd:
    case TlsSession::Outcome::kFailed:
      return boost::asio::post(loop_->context(),
                               [self = shared_from_this()] { self->OnRead(boost::asio::error::eof, 0); });
  }
  // Not from here: as with a plain socket nothing recurses, and others have their turn in between.
  boost::asio::post(loop_->context(), [self = shared_from_this(), bytes] { self->OnRead({}, bytes); });
}

void Connection::OnTlsReady(const boost::system::error_code& error) {
  // Meanwhile it may have begun to close.
  if (error || phase_ == Phase::kClosed || !tls_) return OnRead(error, 0);
  ReadTls();
}

TlsSession::Outcome Connection::ReadNow(std::span<char> into, std::size_t& bytes) {
  if (tls_) return tls_->Read(into, bytes);
  const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), MSG_DONTWAIT);
  if (got > 0) {
    bytes = static_cast<std::size_t>(got);
    return TlsSession::Outcome::kDone;
  }
  if (got == 0) return TlsSession::Outcome::kEnd;
  const bool wants = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  return wants ? TlsSession::Outcome::kWantRead : TlsSession::Outcome::kFailed;
}

}  // namespace holdfast::api
