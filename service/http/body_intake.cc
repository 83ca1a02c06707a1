#include "service/http/body_intake.h"

#include <algorithm>
#include <limits>

namespace holdfast::api {
namespace {

// Of one read.
constexpr std::size_t kReadBytes = std::size_t{64} << 10;

}  // namespace

BodyIntake::BodyIntake(std::shared_ptr<IncomingBody> body, const Framing& framing, const ServerLimits& limits,
                       std::string_view received)
    : body_(std::move(body)),
      left_(framing.content_length),
      untouched_(received.empty()),
      buffer_(received),
      end_(received.size()) {
  // How long it may be is known to whoever takes it.
  if (framing.chunked) chunks_.emplace(limits, std::numeric_limits<std::size_t>::max());
}

BodyIntake::State BodyIntake::Move() {
  if (body_->IsFull()) return State::kFull;
  std::string_view unread = rest();
  bool done = false;
  if (chunks_) {
    decoded_.clear();
    const ChunkDecoder::State state = chunks_->Decode(unread, decoded_);
    if (state == ChunkDecoder::State::kRefused) {
      body_->Fail(Error(ErrorCode::kInvalidArgument, chunks_->refusal().detail));
      return State::kRefused;
    }
    body_->Put(decoded_);
    done = state == ChunkDecoder::State::kDone;
  } else {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, unread.size()));
    body_->Put(unread.substr(0, taken));
    unread.remove_prefix(taken);
    left_ -= taken;
    done = left_ == 0;
  }
  begin_ = end_ - unread.size();
  if (!done) return State::kMore;
  body_->End();
  return State::kDone;
}

std::span<char> BodyIntake::Room() {
  begin_ = end_ = 0;
  untouched_ = false;
  buffer_.resize(kReadBytes);
  // Never beyond a body whose length is known.
  const std::size_t most = chunks_ ? kReadBytes : static_cast<std::size_t>(std::min<std::uint64_t>(left_, kReadBytes));
  return {buffer_.data(), most};
}

}  // namespace holdfast::api
