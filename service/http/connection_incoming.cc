// The part of a connection that receives a body while the handler takes it in pieces.
#include <fmt/format.h>

#include "service/http/connection.h"

namespace holdfast::api {

void Connection::BeginIncoming() {
  request_.incoming = std::make_shared<IncomingBody>([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Wake();
  });
  intake_ = std::make_unique<BodyIntake>(request_.incoming, framing_, limits_, input_.unread());
  input_.Consume(input_.unread().size());
}

Connection::Next Connection::Receive() {
  switch (intake_->Move()) {
    case BodyIntake::State::kMore:
      break;
    case BodyIntake::State::kFull:
      // It is not the client that is waited for.
      Timeouts::Disarm(*this);
      return Next::kFlush;
    case BodyIntake::State::kDone:
      ahead_.assign(intake_->rest());
      EndIncoming();
      return Next::kFlush;
    case BodyIntake::State::kRefused:
      close_after_ = true;
      EndIncoming();
      return Next::kFlush;
  }
  if (framing_.expects_continue && !continue_sent_ && !framing_.http_1_0) {
    continue_sent_ = true;
    if (intake_->IsUntouched()) output_.text().append(kContinue);
  }
  // For each piece anew: how long the whole may take is for the handler to say.
  loop_->Arm(*this, Timeout::kBody);
  return Next::kRead;
}

void Connection::EndIncoming() {
  Timeouts::Disarm(*this);
  if (reading_) {
    // It reads into a buffer that may be given back.
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }
  phase_ = Phase::kWait;
}

void Connection::CutIncoming(Error error) {
  intake_->Fail(std::move(error));
  close_after_ = true;
  EndIncoming();
}

}  // namespace holdfast::api
