// The part of a connection that turns requests away and ends.
#include <fmt/format.h>

#include <utility>

#include "service/http/connection.h"

namespace holdfast::api {

Connection::Next Connection::Refuse(const Refusal& refusal) {
  loop_->state().metrics.Refused(refusal.status).Increment();
  if (reading_) {
    // It reads into buffers that are given back below.
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  response_ = handler_.Refuse(refusal.status, refusal.code, refusal.detail);
  close_after_ = true;
  phase_ = Phase::kRespond;
  return Next::kGoOn;
}

Connection::Next Connection::RefuseOverload() {
  Timeouts::Disarm(*this);
  loop_->state().metrics.too_many_requests().Increment();
  response_ = handler_.Refuse(503, "unavailable", "too many requests in progress (limits.requests); try again later");
  // A body is not worth reading; without one the connection stays, because connecting anew would be one more burden.
  close_after_ = framing_.has_body() || !framing_.keep_alive;
  phase_ = Phase::kRespond;
  return Next::kGoOn;
}

Connection::Next Connection::BeginLinger() {
  ends_body_ = false;
  if (tls_) tls_->CloseNotify();
  // What still comes is thrown away as it is.
  tls_.reset();
  boost::system::error_code failed;
  socket_.shutdown(boost::asio::socket_base::shutdown_send, failed);
  if (failed) {
    Close();
    return Next::kStop;
  }
  phase_ = Phase::kLinger;
  loop_->Arm(*this, Timeout::kLinger);
  return Next::kGoOn;
}

void Connection::OnTimeout(Timeout expired) {
  const auto self = shared_from_this();
  switch (expired) {
    case Timeout::kHeader:
      if (phase_ == Phase::kHandshake) return Close();
      Refuse({408, "deadline_exceeded",
              fmt::format("the head of the request was not complete within {} ms", limits_.header_timeout.count())});
      return Advance();
    case Timeout::kBody:
      if (phase_ == Phase::kReceive) {
        return CutIncoming(
            Error(ErrorCode::kDeadlineExceeded,
                  fmt::format("nothing of the body of the request came within {} ms", limits_.body_timeout.count())));
      }
      Refuse({408, "deadline_exceeded",
              fmt::format("the body of the request was not complete within {} ms", limits_.body_timeout.count())});
      return Advance();
    case Timeout::kIdle:
    case Timeout::kWrite:
    case Timeout::kLinger:
      return Close();
  }
}

void Connection::OnDrain() {
  if (phase_ == Phase::kHandshake) return Close();
  if (phase_ == Phase::kHead && input_.request().empty() && output_.empty()) return Close();
  if (phase_ != Phase::kStream || !stream_->endless()) return;
  // A client that does not keep up is not waited for.
  if (waiting_to_write_) return Close();
  Advance();
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kReceive) {
    intake_->Fail(Error(ErrorCode::kCancelled, "the connection ended before the body of the request did"));
  }
  phase_ = Phase::kClosed;
  const auto self = shared_from_this();
  Timeouts::Disarm(*this);
  boost::system::error_code ignored;
  if (ends_body_) {
    // An orderly close would say that the body is complete.
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
  } else if (tls_) {
    tls_->CloseNotify();
  }
  socket_.close(ignored);
  stream_.reset();
  const auto gone = std::exchange(gone_, nullptr);
  loop_->Remove(*this);
  if (gone) gone();
}

}  // namespace holdfast::api
