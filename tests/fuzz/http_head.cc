// A request's head: scanned and parsed. The same whatever the packets; what is accepted has one end, one framing, and
// views that lie inside the head.
#include <string>

#include "service/http/head_parser.h"
#include "service/http/head_scanner.h"
#include "tests/fuzz/input.h"

namespace holdfast::api {
namespace {

using fuzz::Check;

bool Inside(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

struct Scanned {
  HeadScanner::State state = HeadScanner::State::kIncomplete;
  std::size_t begin = 0;
  std::size_t end = 0;
  int status = 0;

  bool operator==(const Scanned&) const = default;
};

Scanned Outcome(const HeadScanner& scanner, HeadScanner::State state) {
  switch (state) {
    case HeadScanner::State::kComplete:
      return {state, scanner.head_begin(), scanner.head_end(), 0};
    case HeadScanner::State::kRefused:
      return {state, 0, 0, scanner.refusal().status};
    default:
      return {};
  }
}

Scanned ScanInPieces(std::string_view bytes, std::size_t piece, const ServerLimits& limits) {
  HeadScanner scanner(limits);
  for (std::size_t length = 0; length < bytes.size();) {
    length = std::min(bytes.size(), length + piece);
    const auto state = scanner.Scan(bytes.substr(0, length));
    if (state != HeadScanner::State::kIncomplete) return Outcome(scanner, state);
  }
  return {};
}

void CheckParsed(std::string_view head) {
  Request request;
  Framing framing;
  if (const auto refusal = ParseHead(head, request, framing)) {
    Check(refusal->status >= 400 && refusal->status < 600, "a refusal has an error's status");
    return;
  }
  Check(!(framing.chunked && framing.content_length > 0), "one framing, not two");
  Check(request.CountOf("Transfer-Encoding") + request.CountOf("Content-Length") <= 1, "one header frames the body");
  Check(request.CountOf("Host") == (framing.http_1_0 ? request.CountOf("Host") : 1), "HTTP/1.1 names one host");
  Check(Inside(request.path, head) && Inside(request.query, head) && Inside(request.method_name, head),
        "views reach into the head");
  Check(!request.path.empty(), "there is a path");
  for (const auto& [name, value] : request.headers) {
    Check(Inside(name, head) && Inside(value, head), "views of headers reach into the head");
    Check(!name.empty() && name.find_first_of(" \t:\r\n") == name.npos, "a header's name is a token");
    Check(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos, "a header's value is one line");
  }
}

}  // namespace
}  // namespace holdfast::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::api;
  holdfast::fuzz::Input input(data, size);
  const std::string_view bytes = input.Rest();
  const ServerLimits limits;
  const Scanned whole = ScanInPieces(bytes, bytes.size() + 1, limits);
  holdfast::fuzz::Check(ScanInPieces(bytes, 1, limits) == whole, "packets of one byte change nothing");
  holdfast::fuzz::Check(ScanInPieces(bytes, 7, limits) == whole, "packets of seven bytes change nothing");
  if (whole.state == HeadScanner::State::kComplete) {
    holdfast::fuzz::Check(whole.begin < whole.end && whole.end <= bytes.size(), "the head lies inside the input");
    CheckParsed(bytes.substr(whole.begin, whole.end - whole.begin));
  }
  return 0;
}
