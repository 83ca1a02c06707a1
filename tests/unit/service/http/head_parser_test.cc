#include "service/http/head_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace holdfast::api {
namespace {

struct Parsed {
  std::string head;
  Request request;
  Framing framing;
  int status = 0;  // 0: accepted
};

// The views point into `head`, so the result stays where it is.
std::unique_ptr<Parsed> Parse(std::string head) {
  auto parsed = std::make_unique<Parsed>();
  parsed->head = std::move(head);
  const auto refusal = ParseHead(parsed->head, parsed->request, parsed->framing);
  if (refusal) parsed->status = refusal->status;
  return parsed;
}

int StatusOf(const std::string& line, const std::string& headers) {
  return Parse(line + "\r\n" + headers + "\r\n")->status;
}

TEST(HeadParser, GivesMethodPathQueryAndHeadersAsSent) {
  const auto parsed = Parse(
      "PUT /v1/a%2Fb/../c?x=1&y=?z HTTP/1.1\r\nHost: h:80\r\nX-Odd:  a b \r\nETag: \"7\"\r\ncontent-LENGTH: "
      "12\r\n\r\n");
  ASSERT_EQ(parsed->status, 0);
  const Request& request = parsed->request;
  EXPECT_EQ(request.method, Method::kPut);
  EXPECT_EQ(request.method_name, "PUT");
  EXPECT_EQ(request.path, "/v1/a%2Fb/../c");
  EXPECT_EQ(request.query, "x=1&y=?z");
  ASSERT_EQ(request.headers.size(), 4u);
  EXPECT_EQ(request.headers[1].first, "X-Odd");
  EXPECT_EQ(request.headers[1].second, "a b");
  EXPECT_EQ(*request.Find("etag"), "\"7\"");
  EXPECT_EQ(parsed->framing.content_length, 12u);
  EXPECT_TRUE(parsed->framing.keep_alive);
  EXPECT_FALSE(parsed->framing.chunked);
}

TEST(HeadParser, KnowsTheMethods) {
  const std::vector<std::pair<std::string, Method>> methods = {
      {"GET", Method::kGet},         {"HEAD", Method::kHead},   {"PUT", Method::kPut},     {"POST", Method::kPost},
      {"DELETE", Method::kDelete},   {"PATCH", Method::kPatch}, {"TRACE", Method::kOther}, {"get", Method::kOther},
      {"OPTIONS", Method::kOptions}, {"BREW", Method::kOther},
  };
  for (const auto& [name, method] : methods) {
    const auto parsed = Parse(name + " / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(parsed->status, 0) << name;
    EXPECT_EQ(parsed->request.method, method) << name;
    EXPECT_EQ(parsed->request.method_name, name);
  }
}

TEST(HeadParser, TakesOnlyOriginFormAndAsteriskForOptions) {
  const std::string host = "Host: x\r\n";
  EXPECT_EQ(StatusOf("GET /\xc3\xa9//..?a/b HTTP/1.1", host), 0);
  EXPECT_EQ(StatusOf("OPTIONS * HTTP/1.1", host), 0);
  EXPECT_EQ(StatusOf("GET * HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET http://x/ HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("CONNECT x:80 HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET a HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET /a#b HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET  / HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET / b HTTP/1.1", host), 505);
  EXPECT_EQ(StatusOf("GET /\tb HTTP/1.1", host), 400);
  EXPECT_EQ(StatusOf("GET /", host), 400);
}

TEST(HeadParser, AnswersOtherVersionsWith505) {
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", "HTTP/11"}) {
    EXPECT_EQ(StatusOf(std::string("GET / ") + version, "Host: x\r\n"), 505) << version;
  }
}

TEST(HeadParser, WantsOneHost) {
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", ""), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", "Host: a\r\nHost: a\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", "Host: a/b\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", "Host: a b\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", "Host:\r\n"), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1", "Host: [::1]:8080\r\n"), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0", ""), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0", "Host: a\r\nHost: b\r\n"), 400);
}

TEST(HeadParser, TakesContentLengthAsPlainDigitsOnce) {
  const auto status = [](const std::string& headers) { return StatusOf("PUT / HTTP/1.1", "Host: x\r\n" + headers); };
  EXPECT_EQ(status("Content-Length: 0\r\n"), 0);
  EXPECT_EQ(status("Content-Length: 18446744073709551615\r\n"), 0);
  EXPECT_EQ(status("Content-Length: 18446744073709551616\r\n"), 400);
  for (const char* value : {"", "+5", "-5", "0x5", "5,5", "5, 5", "5 5", "5;", "five", "5.0"}) {
    EXPECT_EQ(status(std::string("Content-Length: ") + value + "\r\n"), 400) << value;
  }
  EXPECT_EQ(status("Content-Length: 5\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(status("Content-Length: 5\r\nContent-Length: 6\r\n"), 400);
  EXPECT_EQ(status("Content-Length : 5\r\n"), 400);
}

TEST(HeadParser, TakesOnlyChunkedAndNotBesideContentLength) {
  const auto status = [](const std::string& headers, const char* version = "HTTP/1.1") {
    return StatusOf(std::string("PUT / ") + version, "Host: x\r\n" + headers);
  };
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n"), 0);
  EXPECT_EQ(status("transfer-encoding: Chunked\r\n"), 0);
  for (const char* value : {"", "xchunked", "gzip, chunked", "chunked, chunked", "chunked;q=1", "identity",
                            "\"chunked\"", "chunked,", "chun ked"}) {
    EXPECT_EQ(status(std::string("Transfer-Encoding: ") + value + "\r\n"), 400) << value;
  }
  EXPECT_EQ(status("Transfer-Encoding : chunked\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(status("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(status("Transfer-Encoding: chunked\r\n", "HTTP/1.0"), 400);
}

TEST(HeadParser, RefusesBrokenHeaderLines) {
  for (const char* line : {"no colon", ": empty name", "sp ace: x", "a(b): x", "\xc3\xa9: x"}) {
    EXPECT_EQ(StatusOf("GET / HTTP/1.1", std::string("Host: x\r\n") + line + "\r\n"), 400) << line;
  }
}

TEST(HeadParser, DecidesKeepAliveByVersionAndConnection) {
  const auto keep_alive = [](const std::string& version, const std::string& headers) {
    return Parse("GET / " + version + "\r\nHost: x\r\n" + headers + "\r\n")->framing.keep_alive;
  };
  EXPECT_TRUE(keep_alive("HTTP/1.1", ""));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: te, close\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.0", ""));
  EXPECT_TRUE(keep_alive("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST(HeadParser, MeetsOnlyTheExpectationOf100Continue) {
  const auto parsed = Parse("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n");
  EXPECT_EQ(parsed->status, 0);
  EXPECT_TRUE(parsed->framing.expects_continue);
  EXPECT_EQ(StatusOf("PUT / HTTP/1.1", "Host: x\r\nExpect: the moon\r\n"), 417);
}

}  // namespace
}  // namespace holdfast::api
