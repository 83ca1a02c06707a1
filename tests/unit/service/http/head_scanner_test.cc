#include "service/http/head_scanner.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::api {
namespace {

using State = HeadScanner::State;

struct Outcome {
  State state = State::kIncomplete;
  int status = 0;
  std::size_t end = 0;

  bool operator==(const Outcome&) const = default;
};

Outcome ScanWhole(const std::string& input, const ServerLimits& limits = {}) {
  HeadScanner scanner(limits);
  const State state = scanner.Scan(input);
  return {state, state == State::kRefused ? scanner.refusal().status : 0,
          state == State::kComplete ? scanner.head_end() : 0};
}

// Every prefix in turn, as if each byte came in a packet of its own.
Outcome ScanByteByByte(const std::string& input, const ServerLimits& limits = {}) {
  HeadScanner scanner(limits);
  for (std::size_t length = 1; length <= input.size(); ++length) {
    const State state = scanner.Scan(std::string_view(input).substr(0, length));
    if (state == State::kRefused) return {state, scanner.refusal().status, 0};
    if (state == State::kComplete) return {state, 0, scanner.head_end()};
  }
  return {};
}

const std::string kHead = "GET /a HTTP/1.1\r\nHost: x\r\nAccept:\t*/*\r\n\r\n";

TEST(HeadScanner, FindsTheEndWhateverThePackets) {
  const Outcome expected{State::kComplete, 0, kHead.size()};
  EXPECT_EQ(ScanWhole(kHead), expected);
  EXPECT_EQ(ScanWhole(kHead + "GET /b"), expected);
  EXPECT_EQ(ScanByteByByte(kHead + "GET /b"), expected);
}

TEST(HeadScanner, SkipsOneEmptyLineBeforeTheRequestAndNoMore) {
  const ServerLimits limits;
  HeadScanner scanner(limits);
  EXPECT_EQ(scanner.Scan("\r\n" + kHead), State::kComplete);
  EXPECT_EQ(scanner.head_begin(), 2u);
  EXPECT_EQ(scanner.head_end(), kHead.size() + 2);
  EXPECT_EQ(ScanWhole("\r\n\r\n" + kHead), (Outcome{State::kRefused, 400, 0}));
}

TEST(HeadScanner, StartsAfreshAfterReset) {
  const ServerLimits limits;
  HeadScanner scanner(limits);
  EXPECT_EQ(scanner.Scan("GET / HTTP/1.1\nx"), State::kRefused);
  scanner.Reset();
  EXPECT_EQ(scanner.Scan(kHead), State::kComplete);
  EXPECT_EQ(scanner.head_begin(), 0u);
}

TEST(HeadScanner, RefusesAtTheFirstWrongByte) {
  for (const std::string& input : {
           std::string("GET / HTTP/1.1\n"),
           std::string("GET / HTTP/1.1\r\nHost: x\n"),
           std::string("GET / HTTP/1.1\r\nA: b\rc"),
           std::string("GET /\0", 6),
           std::string("GET / HTTP/1.1\r\nA: \x7f"),
           std::string("GET / HTTP/1.1\r\nA: b\r\n folded\r\n"),
           std::string("GET / HTTP/1.1\r\nA: b\r\n\tfolded\r\n"),
           std::string("GET / HTTP/1.1\r\n Host: x\r\n"),
           std::string("\x16\x03\x01\x02", 4),
       }) {
    EXPECT_EQ(ScanWhole(input), (Outcome{State::kRefused, 400, 0})) << input;
    EXPECT_EQ(ScanByteByByte(input), (Outcome{State::kRefused, 400, 0})) << input;
  }
}

TEST(HeadScanner, AcceptsExactlyTheLimitsAndRefusesOneMore) {
  ServerLimits limits;
  limits.max_request_line_bytes = 20;
  limits.max_header_bytes = 30;
  limits.max_header_count = 3;
  const std::string line = "GET /23456 HTTP/1.1\r\n";  // 19
  const auto both = [&](const std::string& input) {
    Outcome whole = ScanWhole(input, limits);
    EXPECT_EQ(whole, ScanByteByByte(input, limits)) << input;
    return whole;
  };
  EXPECT_EQ(both("GET /234567 HTTP/1.1\r\n\r\n").state, State::kComplete);
  EXPECT_EQ(both("GET /2345678 HTTP/1.1\r\n\r\n"), (Outcome{State::kRefused, 414, 0}));
  EXPECT_EQ(both("GET /" + std::string(100, 'a')), (Outcome{State::kRefused, 414, 0}));
  EXPECT_EQ(both(line + "A: " + std::string(23, 'b') + "\r\n\r\n").state, State::kComplete);
  EXPECT_EQ(both(line + "A: " + std::string(24, 'b') + "\r\n\r\n"), (Outcome{State::kRefused, 431, 0}));
  EXPECT_EQ(both(line + "A: " + std::string(99, 'b')), (Outcome{State::kRefused, 431, 0}));
  EXPECT_EQ(both(line + "A:1\r\nB:2\r\nC:3\r\n\r\n").state, State::kComplete);
  EXPECT_EQ(both(line + "A:1\r\nB:2\r\nC:3\r\nD:4\r\n\r\n"), (Outcome{State::kRefused, 431, 0}));
}

}  // namespace
}  // namespace holdfast::api
