// Finds the end of a request's head and holds it to strict lines before a parser sees it: every line ends in CRLF, and
// no line holds a control character or is folded. What is wrong is known at the first wrong byte, so that a TLS
// handshake on the plain port is answered at once and not at the header timeout.
//
// Beast's parser alone is not enough: it takes obs-fold and joins the lines, and it takes header blocks without a limit
// on their count.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "service/http/http_server.h"
#include "service/http/refusal.h"

namespace holdfast::api {

class HeadScanner {
 public:
  explicit HeadScanner(const ServerLimits& limits) : limits_(limits) {}

  enum class State { kIncomplete, kComplete, kRefused };
  // `input` starts at the request's first byte and only ever grows between calls; bytes already scanned are not
  // scanned again.
  State Scan(std::string_view input);

  // After kComplete: the head is input[head_begin, head_end), both lines' ends included. head_begin is 2 when the
  // request was preceded by the one empty line that RFC 9112, 2.2 asks servers to skip.
  std::size_t head_begin() const { return head_begin_; }
  std::size_t head_end() const { return head_end_; }
  // After kRefused.
  Refusal refusal() const { return *refusal_; }

  // For the next request.
  void Reset();

 private:
  State EndLine(std::string_view line, std::size_t next);
  State CheckLimits(std::size_t scanned);
  State Refuse(Refusal refusal);

  const ServerLimits& limits_;
  std::size_t position_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t head_begin_ = 0;
  std::size_t head_end_ = 0;
  std::size_t fields_begin_ = 0;  // 0 until the request line has ended
  std::size_t fields_ = 0;
  std::optional<Refusal> refusal_;
};

}  // namespace holdfast::api
