// FAULTS.md S20 to S22: what is malformed is answered with its status and closed, the request itself never reaches the
// handler, and neither does the one smuggled behind it.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"

namespace holdfast::api::testing {
namespace {

using namespace std::string_literals;

struct Row {
  const char* name;
  std::string bytes;
  int status;
  const char* reason;  // label of holdfast_http_refused_total
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

std::string Put(const std::string& headers, const std::string& body = "") {
  return "PUT /victim HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}
std::string Chunked(const std::string& body) {
  return Put("Transfer-Encoding: chunked\r\n", body);
}
Row Bad(const char* name, std::string bytes) {
  return {name, std::move(bytes), 400, "malformed"};
}
std::string Repeat(const std::string& text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

std::vector<Row> Rows() {
  const std::string hello = "5\r\nhello\r\n";
  return {
      Bad("two_content_lengths", Put("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")),
      Bad("two_equal_content_lengths", Put("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
      Bad("content_length_then_chunked", Put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
      Bad("chunked_then_content_length", Put("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
      Bad("coding_xchunked", Put("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
      Bad("coding_gzip_chunked", Put("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")),
      Bad("coding_chunked_twice", Put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
      Bad("coding_chunked_then_identity",
          Put("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n")),
      Bad("coding_empty", Put("Transfer-Encoding:\r\n", "0\r\n\r\n")),
      Bad("coding_vertical_tab", Put("Transfer-Encoding: \x0b"
                                     "chunked\r\n",
                                     "0\r\n\r\n")),
      Bad("coding_in_http_1_0", "PUT /victim HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      Bad("space_before_colon_of_coding", Put("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
      Bad("space_before_colon_of_length", Put("Content-Length : 5\r\n", "hello")),
      Bad("length_plus", Put("Content-Length: +5\r\n", "hello")),
      Bad("length_minus", Put("Content-Length: -5\r\n", "hello")),
      Bad("length_hexadecimal", Put("Content-Length: 0x5\r\n", "hello")),
      Bad("length_list", Put("Content-Length: 5,5\r\n", "hello")),
      Bad("length_2_to_64", Put("Content-Length: 18446744073709551616\r\n", "hello")),
      Bad("length_empty", Put("Content-Length:\r\n", "hello")),
      Bad("bare_lf_request_line", "GET /victim HTTP/1.1\nHost: x\r\n\r\n"),
      Bad("bare_lf_header", "GET /victim HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"),
      Bad("bare_lf_end", "GET /victim HTTP/1.1\r\nHost: x\r\n\n"),
      Bad("bare_lf_everywhere", "GET /victim HTTP/1.1\nHost: x\n\n"),
      Bad("bare_cr_request_line", "GET /vic\rtim HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("bare_cr_value", Put("A: b\rc\r\n")),
      Bad("bare_cr_then_crlf", Put("A: b\r\r\n")),
      Bad("nul_in_target", "GET /vic\0tim HTTP/1.1\r\nHost: x\r\n\r\n"s),
      Bad("nul_in_name", Put("A\0b: c\r\n"s)),
      Bad("nul_in_value", Put("A: b\0c\r\n"s)),
      Bad("obs_fold_space", Put("A: b\r\n c\r\n")),
      Bad("obs_fold_tab", Put("A: b\r\n\tc\r\n")),
      Bad("obs_fold_hides_coding", Put("A: b\r\n Transfer-Encoding: chunked\r\n")),
      Bad("space_before_first_header", "GET /victim HTTP/1.1\r\n Host: x\r\n\r\n"),
      Bad("no_colon", Put("broken\r\n")),
      Bad("empty_name", Put(": x\r\n")),
      Bad("host_missing", "GET /victim HTTP/1.1\r\n\r\n"),
      Bad("host_twice", "GET /victim HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
      Bad("host_with_path", "GET /victim HTTP/1.1\r\nHost: x/y\r\n\r\n"),
      Bad("absolute_form", "GET http://x/victim HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("authority_form", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("asterisk_get", "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("relative_target", "GET victim HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("fragment", "GET /victim#a HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("http_0_9", "GET /victim\r\n\r\n"),
      Bad("two_empty_lines_first", "\r\n\r\nGET /victim HTTP/1.1\r\nHost: x\r\n\r\n"),
      Bad("tls_client_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s),
      {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version"},
      {"version_1_2", "GET /victim HTTP/1.2\r\nHost: x\r\n\r\n", 505, "version"},
      {"request_line_too_long", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414,
       "target_too_long"},
      {"request_line_endless", std::string(9000, 'a'), 414, "target_too_long"},
      {"headers_too_long", Put("A: " + std::string(17'000, 'a') + "\r\n"), 431, "head_too_large"},
      {"headers_too_many", Put(Repeat("A: b\r\n", 100)), 431, "head_too_large"},
      {"expectation_unknown", Put("Expect: 200-maybe\r\nContent-Length: 5\r\n", "hello"), 417, "expectation"},
      {"body_too_long", Put("Content-Length: 100001\r\n"), 413, "body_too_large"},
      {"body_too_long_expecting", Put("Content-Length: 100001\r\nExpect: 100-continue\r\n"), 413, "body_too_large"},
      {"body_length_near_2_to_64", Put("Content-Length: 18446744073709551615\r\n"), 413, "body_too_large"},
      {"chunk_makes_body_too_long", Chunked(hello + "1869c\r\n"), 413, "body_too_large"},
      {"chunk_size_all_f", Chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), 413, "body_too_large"},
      Bad("chunk_size_17_digits", Chunked("00000000000000005\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_overflow", Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_prefixed", Chunked("0x5\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_negative", Chunked("-5\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_empty", Chunked("\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_space", Chunked("5 \r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_size_bare_lf", Chunked("5\nhello\r\n0\r\n\r\n")),
      Bad("chunk_without_crlf", Chunked("5\r\nhello0\r\n\r\n")),
      Bad("chunk_longer_than_said", Chunked("5\r\nhello world\r\n0\r\n\r\n")),
      Bad("chunk_extension_huge", Chunked("5;" + std::string(300, 'a') + "\r\nhello\r\n0\r\n\r\n")),
      Bad("chunk_extension_bare_lf", Chunked("5;a\n\r\nhello\r\n0\r\n\r\n")),
      Bad("trailer_malformed", Chunked(hello + "0\r\nno colon\r\n\r\n")),
      Bad("trailer_bare_lf", Chunked(hello + "0\r\nA: b\n\r\n")),
      {"trailer_endless", Chunked(hello + "0\r\n" + Repeat("A: b\r\n", 4000)), 431, "head_too_large"},
  };
}

class Refusals : public ServerTest, public ::testing::WithParamInterface<Row> {};

// A valid request first: the refusal must come behind its answer, and the keep-alive must end with it.
TEST_P(Refusals, AnswersClosesAndRunsNothing) {
  const Row& row = GetParam();
  RawClient client = Connect();
  client.Send(Get("/before"));
  ASSERT_TRUE(client.ReadResponse());
  client.Send(row.bytes + Get("/canary"));
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, row.status) << response->body;
  EXPECT_EQ(response->headers.at("connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(handler_->Recorded(), std::vector<std::string>{"GET /before"});
  EXPECT_EQ(Refused(row.reason), 1);
}

TEST_P(Refusals, DoesTheSameByteByByte) {
  const Row& row = GetParam();
  RawClient client = Connect();
  // The long rows are about amounts, which one packet per byte would only slow down.
  const std::size_t step = row.bytes.size() > 1000 ? 997 : 1;
  const std::string bytes = row.bytes + Get("/canary");
  for (std::size_t i = 0; i < bytes.size(); i += step) {
    if (!client.Send(std::string_view(bytes).substr(i, step))) break;
  }
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, row.status) << response->body;
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(handler_->Recorded().empty());
}

INSTANTIATE_TEST_SUITE_P(All, Refusals, ::testing::ValuesIn(Rows()),
                         [](const auto& instance) { return instance.param.name; });

// What the rows above would prove nothing without: a canary behind a sound request does run.
TEST_F(ServerTest, CanaryRunsBehindASoundRequest) {
  RawClient client = Connect();
  client.Send(Put("Content-Length: 5\r\n", "hello") + Get("/canary"));
  EXPECT_EQ(client.ReadResponse()->body, "PUT /victim hello");
  EXPECT_EQ(client.ReadResponse()->body, "GET /canary");
}

TEST_F(ServerTest, TooLongABodyIsRefusedBeforeAnyOfItIsSent) {
  RawClient client = Connect();
  client.Send(Put("Content-Length: 100001\r\nExpect: 100-continue\r\n"));
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413);
  EXPECT_NE(response->body.find("100000"), std::string::npos) << "the limit is named: " << response->body;
}

// Closing over unread bytes would make the client's kernel throw the answer away.
TEST_F(ServerTest, TheRefusalIsReadableBehindALargeBodyAlreadyUnderWay) {
  RawClient client = Connect();
  ASSERT_TRUE(client.Send(Put("Content-Length: 8000000\r\n", std::string(8'000'000, 'b'))));
  client.FinishSending();
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 413);
  EXPECT_EQ(client.ReadToEnd(), "");
}

}  // namespace
}  // namespace holdfast::api::testing
