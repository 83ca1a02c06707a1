// The part of a connection that sends a body as it comes into being, and that notices a client's end meanwhile.
#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

#include "service/http/connection.h"

namespace holdfast::api {
namespace {

// What a stream is asked for at once: the most a slow client makes the server hold, beside what the stream gives too
// much and what the kernel has taken.
constexpr std::size_t kPullBytes = 64u << 10;
// A stream that always has more, to a client that always takes it, lets others have their turn after so many pulls.
constexpr int kPullsInARow = 8;
// Requests sent ahead, behind that of the stream, are read up to here. A client that sends more is not noticed to have
// gone before the next write.
constexpr std::size_t kAheadBytes = 16u << 10;
constexpr std::size_t kAheadStepBytes = 512;

}  // namespace

Connection::Next Connection::RespondWithStream() {
  const bool chunked = !framing_.http_1_0;
  const bool has_body = request_.method != Method::kHead && StatusHasBody(response_.status);
  ends_body_ = !chunked && has_body;
  close_after_ = close_after_ || ends_body_;
  AppendStreamHead(response_, chunked, loop_->DateLine(), HeaderForNext(), output_.text());
  if (has_body) stream_.emplace(std::move(response_.stream), chunked);
  response_ = {};
  EndRequest();
  if (!has_body) return EndResponse();
  phase_ = Phase::kStream;
  pulls_ = 0;
  stream_->Start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Wake();
  });
  return Next::kGoOn;
}

Connection::Next Connection::Stream() {
  if (loop_->state().draining && stream_->endless()) return CutStream();
  if (output_.full()) return Next::kFlush;
  if (pulls_ >= kPullsInARow) return Next::kYield;
  ++pulls_;
  switch (stream_->Pull(output_.text(), kPullBytes)) {
    case BodyStream::State::kMore:
      return Next::kGoOn;
    case BodyStream::State::kWait:
      pulls_ = 0;
      return Next::kWatch;
    case BodyStream::State::kEnd:
      return EndStream();
    case BodyStream::State::kFailed:
      break;
  }
  return CutStream();
}

Connection::Next Connection::EndStream() {
  stream_.reset();
  return EndResponse();
}

Connection::Next Connection::CutStream() {
  if (ends_body_) {
    Close();
    return Next::kStop;
  }
  stream_.reset();
  close_after_ = true;
  return EndResponse();
}

void Connection::Wake() {
  // However often it is woken, one visit is enough.
  if (!wake_pending_.exchange(true)) loop_->Wake(shared_from_this());
}

void Connection::OnWake() {
  // Before the stream is pulled: what comes in between wakes again.
  wake_pending_ = false;
  const bool waits = phase_ == Phase::kReceive || (phase_ == Phase::kStream && !yielding_);
  if (waits && !waiting_to_write_) Advance();
}

void Connection::Yield() {
  if (yielding_) return;
  yielding_ = true;
  boost::asio::post(loop_->context(), [self = shared_from_this()] {
    self->yielding_ = false;
    self->pulls_ = 0;
    if (self->phase_ == Phase::kStream && !self->waiting_to_write_) self->Advance();
  });
}

void Connection::Watch() {
  if (watching_ || input_.unread().size() + ahead_.size() >= kAheadBytes) return;
  watching_ = true;
  // Waits without a buffer: when the answer ends first, the next request's read and this wait do not meet in one.
  socket_.async_wait(boost::asio::socket_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) { self->OnReadable(error); });
}

void Connection::OnReadable(const boost::system::error_code& error) {
  watching_ = false;
  if (phase_ != Phase::kStream && !(phase_ == Phase::kWait && gone_)) return;
  if (error) return Close();
  if (ReadAhead() == Ahead::kOpen) Watch();
}

Connection::Ahead Connection::ReadAhead() {
  std::array<char, kAheadStepBytes> step;
  std::size_t bytes = 0;
  switch (ReadNow(step, bytes)) {
    case TlsSession::Outcome::kDone:
      if (phase_ == Phase::kWait) {
        ahead_.append(step.data(), bytes);
      } else {
        input_.EnsureTail(bytes);
        std::copy_n(step.begin(), bytes, input_.tail().begin());
        input_.Commit(bytes);
      }
      return Ahead::kOpen;
    case TlsSession::Outcome::kWantRead:
    case TlsSession::Outcome::kWantWrite:
      return Ahead::kOpen;
    case TlsSession::Outcome::kEnd:
      // A body with an end goes on to a client that has only finished sending.
      if (stream_ && !stream_->endless()) return Ahead::kEnded;
      break;
    case TlsSession::Outcome::kFailed:
      break;
  }
  Close();
  return Ahead::kClosed;
}

}  // namespace holdfast::api
