// The chunked coding. Any bytes: the same whatever the packets, and never more than the limit. A body we chunk
// ourselves comes back whole, with what stands behind it untouched.
#include "service/http/chunk_decoder.h"

#include <cstdio>
#include <string>

#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;

constexpr std::size_t kMaxBody = 4096;

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::kMore;
  std::string body;
  std::size_t rest = 0;
  int status = 0;

  bool operator==(const Decoded&) const = default;
};

Decoded DecodeInPieces(std::string_view bytes, std::size_t piece) {
  const ServerLimits limits;
  ChunkDecoder decoder(limits, kMaxBody);
  Decoded decoded;
  while (!bytes.empty() && decoded.state == ChunkDecoder::State::kMore) {
    std::string_view part = bytes.substr(0, piece);
    const std::size_t given = part.size();
    decoded.state = decoder.Decode(part, decoded.body);
    Check(part.size() <= given, "only the front is taken");
    bytes.remove_prefix(given - part.size());
    Check(decoded.state != ChunkDecoder::State::kMore || part.empty(), "all of it is taken while the body goes on");
  }
  Check(decoded.body.size() <= kMaxBody, "the body stays within its limit");
  if (decoded.state == ChunkDecoder::State::kDone) decoded.rest = bytes.size();
  if (decoded.state == ChunkDecoder::State::kRefused) {
    decoded.body.clear();  // how much of a refused body was kept depends on the packets, and nobody reads it
    decoded.status = decoder.refusal().status;
  }
  return decoded;
}

void CheckRoundTrip(std::string_view body, std::size_t chunk) {
  std::string coded;
  for (std::size_t at = 0; at < body.size(); at += chunk) {
    const std::string_view part = body.substr(at, chunk);
    char size[20];
    std::snprintf(size, sizeof(size), "%zx", part.size());
    coded.append(size).append("\r\n").append(part).append("\r\n");
  }
  coded.append("0\r\n\r\nGET / HTTP/1.1\r\n");
  const Decoded decoded = DecodeInPieces(coded, 5);
  Check(decoded.state == ChunkDecoder::State::kDone && decoded.body == body, "what was chunked comes back");
  Check(decoded.rest == 16, "the next request is untouched");
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  const std::string_view bytes = holdfast::fuzz::Input(data, size).Rest();
  const Decoded whole = DecodeInPieces(bytes, bytes.size() + 1);
  holdfast::fuzz::Check(DecodeInPieces(bytes, 1) == whole, "packets of one byte change nothing");
  holdfast::fuzz::Check(DecodeInPieces(bytes, 3) == whole, "packets of three bytes change nothing");
  if (size > 0 && size <= kMaxBody) CheckRoundTrip(bytes, 1 + data[0] % 64);
  return 0;
}
