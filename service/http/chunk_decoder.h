// Takes the chunked transfer coding (RFC 9112, 7.1) off a body, byte-exact and with a limit on everything a peer can
// make long: the body, the digits of a size, a chunk's line, the trailer. Trailer fields are checked and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/http/http_server.h"
#include "service/http/refusal.h"

namespace holdfast::api {

class ChunkDecoder {
 public:
  enum class State { kMore, kDone, kRefused };

  // Begins a body of at most `max_body_bytes`. `limits` outlives the decoder.
  ChunkDecoder(const ServerLimits& limits, std::size_t max_body_bytes)
      : limits_(&limits), max_body_bytes_(max_body_bytes) {}

  // Appends the data in `input` to `body` and takes what it used off the front of `input`: all of it, unless the body
  // ends before; what is left then belongs to the next request. A chunk that would make the body too long is refused
  // at its size line, before its data.
  State Decode(std::string_view& input, std::string& body);

  // After kRefused.
  Refusal refusal() const { return *refusal_; }

 private:
  enum class Step {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerBegin,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kEndLf,
    kDone,
    kRefused
  };

  void TakeSize(char c, std::size_t body_bytes);
  void TakeTrailer(char c);
  void Expect(char c, char wanted, Step next);
  void Refuse(Refusal refusal);

  const ServerLimits* limits_;
  std::size_t max_body_bytes_;
  Step step_ = Step::kSize;
  std::uint64_t size_ = 0;  // of the chunk; then what is left of it
  std::size_t size_digits_ = 0;
  std::size_t line_bytes_ = 0;  // of the chunk's line
  std::size_t trailer_bytes_ = 0;
  std::optional<Refusal> refusal_;
};

}  // namespace holdfast::api
