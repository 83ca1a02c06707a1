// Takes a body out of what a connection reads, and puts it into an IncomingBody, without its chunked coding. Private to
// the room; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/http/chunk_decoder.h"
#include "service/http/head_parser.h"
#include "service/http/incoming_body.h"

namespace holdfast::api {

class BodyIntake {
 public:
  // `received`: what the client has sent behind the head already. `limits` outlives it.
  BodyIntake(std::shared_ptr<IncomingBody> body, const Framing& framing, const ServerLimits& limits,
             std::string_view received);

  enum class State {
    kMore,     // all that was read is in the body: read on
    kFull,     // the body takes no more at present
    kDone,     // the body is complete, and has been told
    kRefused,  // it is malformed, and has been told
  };
  State Move();
  // To read into, then Commit. Not while something is to be moved.
  std::span<char> Room();
  void Commit(std::size_t bytes) { end_ += bytes; }
  // Behind kDone: what belongs to the next request.
  std::string_view rest() const { return std::string_view(buffer_).substr(begin_, end_ - begin_); }
  bool IsUntouched() const { return untouched_; }
  // It will not be complete.
  void Fail(Error error) { body_->Fail(std::move(error)); }

 private:
  const std::shared_ptr<IncomingBody> body_;
  std::optional<ChunkDecoder> chunks_;  // none: it has a length
  std::uint64_t left_;                  // of the length
  bool untouched_;                      // nothing of it has come
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string decoded_;
};

}  // namespace holdfast::api
