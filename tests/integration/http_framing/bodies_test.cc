// Request bodies: by length and by chunks, in pieces, at the limit, and with the client waiting to be told to go on.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"

namespace holdfast::api::testing {
namespace {

class Bodies : public ServerTest {
 protected:
  static std::string Pattern(std::size_t bytes) {
    std::string pattern(bytes, '\0');
    for (std::size_t i = 0; i < bytes; ++i) pattern[i] = static_cast<char>('a' + (i * 7 + i / 26) % 26);
    return pattern;
  }
  static std::string Sized(const std::string& body, const std::string& headers = "") {
    return "PUT /b HTTP/1.1\r\nHost: x\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body;
  }
};

TEST_F(Bodies, OfEverySizeArriveWholeAndEndWhereTheyShould) {
  RawClient client = Connect();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2000}, std::size_t{2048},
                                 std::size_t{65'536}, std::size_t{70'001}, RecordingHandler::kMaxBody}) {
    const std::string body = Pattern(size);
    client.Send(Sized(body) + Get("/next"));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->body, body.empty() ? "PUT /b" : "PUT /b " + body) << size;
    EXPECT_EQ(client.ReadResponse()->body, "GET /next") << size;
  }
}

TEST_F(Bodies, InAnyPieces) {
  RawClient client = Connect();
  const std::string body = Pattern(300);
  const std::string sized = Sized(body) + Get("/next");
  std::string chunked = "PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < body.size(); i += 100) chunked += "64;x=y\r\n" + body.substr(i, 100) + "\r\n";
  chunked += "0\r\nA: b\r\n\r\n" + Get("/next");
  for (const std::string& bytes : {sized, chunked}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{17}, bytes.size()}) {
      for (std::size_t i = 0; i < bytes.size(); i += step) client.Send(std::string_view(bytes).substr(i, step));
      EXPECT_EQ(client.ReadResponse()->body, "PUT /b " + body) << step;
      EXPECT_EQ(client.ReadResponse()->body, "GET /next") << step;
    }
  }
}

TEST_F(Bodies, ChunkedUpToTheLimitWithViewsOfTheHeadIntact) {
  RawClient client = Connect();
  const std::string body = Pattern(RecordingHandler::kMaxBody);
  std::string bytes = "PUT /a/long/path?and=query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t i = 0; i < body.size(); i += 1000) bytes += "3e8\r\n" + body.substr(i, 1000) + "\r\n";
  client.Send(bytes + "0\r\n\r\n" + Get("/next"));
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "PUT /a/long/path?and=query " + body);
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Bodies, AClientThatWaitsIsToldToContinueOnce) {
  for (const std::string framing : {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client = Connect();
    client.Send("PUT /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" + framing + "\r\n");
    EXPECT_EQ(client.ReadResponse()->status, 100);
    client.Send(framing[0] == 'C' ? "he" : "5\r\nhe");
    EXPECT_FALSE(client.Readable(std::chrono::milliseconds(20)));
    client.Send(framing[0] == 'C' ? "llo" : "llo\r\n0\r\n\r\n");
    EXPECT_EQ(client.ReadResponse()->body, "PUT /b hello");
  }
}

TEST_F(Bodies, AClientThatDoesNotWaitIsNotTold) {
  RawClient client = Connect();
  client.Send(Sized("hello", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.ReadResponse()->body, "PUT /b hello");
}

TEST_F(Bodies, ContinueComesBehindTheAnswersBeforeIt) {
  RawClient client = Connect();
  client.Send(Get("/first") + "PUT /b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.ReadResponse()->body, "GET /first");
  EXPECT_EQ(client.ReadResponse()->status, 100);
  client.Send("hello");
  EXPECT_EQ(client.ReadResponse()->body, "PUT /b hello");
}

TEST_F(Bodies, ThatEndEarlyAreNeverHandled) {
  for (const std::string& bytes :
       {std::string("PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell"),
        std::string("PUT /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")}) {
    RawClient client = Connect();
    client.Send(bytes);
    client.FinishSending();
    EXPECT_EQ(client.ReadToEnd(), "");
  }
  EXPECT_TRUE(handler_->Recorded().empty());
}

}  // namespace
}  // namespace holdfast::api::testing
