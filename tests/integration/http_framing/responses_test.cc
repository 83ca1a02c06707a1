// What a client sees of well-formed requests: order, persistence, heads, and answers from other threads.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

class Responses : public ServerTest {};

TEST_F(Responses, CarryDateServerTypeAndLength) {
  RawClient client = Connect();
  client.Send(Get("/a?b=c"));
  const auto response = client.ReadResponse();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "GET /a?b=c");
  EXPECT_EQ(response->headers.at("content-type"), "text/plain");
  EXPECT_EQ(response->headers.at("content-length"), "10");
  EXPECT_EQ(response->headers.at("server"), "holdfast");
  EXPECT_EQ(response->headers.at("date").size(), 29u);
  EXPECT_EQ(response->headers.count("connection"), 0u);
}

TEST_F(Responses, ToHeadHaveALengthAndNoBody) {
  RawClient client = Connect();
  client.Send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /entry?50000 HTTP/1.1\r\nHost: x\r\n\r\n" + Get("/next"));
  EXPECT_EQ(client.ReadResponse(true)->headers.at("content-length"), "7");
  EXPECT_EQ(client.ReadResponse(true)->headers.at("content-length"), "50000");
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Responses, Of204And304HaveNeitherBodyNorLength) {
  RawClient client = Connect();
  client.Send(Get("/status?204") + Get("/status?304") + Get("/next"));
  for (const int status : {204, 304}) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, status);
    EXPECT_EQ(response->headers.count("content-length"), 0u);
  }
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Responses, ToPipelinedRequestsComeInOrderWhoeverAnswers) {
  RawClient client = Connect();
  std::string requests;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    const std::string path = std::string(i % 3 == 0 ? "/later?" : "/now?") + std::to_string(i);
    requests += Get(path);
    expected.push_back("GET " + path);
  }
  std::thread sender([&] { client.Send(requests); });
  for (const std::string& line : expected) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, line);
  }
  sender.join();
  EXPECT_EQ(handler_->Recorded(), expected);
}

TEST_F(Responses, ToTenThousandPipelinedRequestsAllCome) {
  RawClient client = Connect();
  std::string requests;
  for (int i = 0; i < 10'000; ++i) requests += Get("/p?" + std::to_string(i));
  std::thread sender([&] { client.Send(requests); });
  int wrong = 0;
  for (int i = 0; i < 10'000 && wrong == 0; ++i) {
    const auto response = client.ReadResponse();
    if (!response || response->body != "GET /p?" + std::to_string(i)) ++wrong;
  }
  EXPECT_EQ(wrong, 0);
  sender.join();
}

TEST_F(Responses, OneRequestOfAConnectionIsInProgressAtATime) {
  RawClient client = Connect();
  client.Send(Get("/hold") + Get("/second"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  EXPECT_FALSE(client.Readable(std::chrono::milliseconds(50)));
  EXPECT_EQ(handler_->Recorded(), std::vector<std::string>{"GET /hold"});
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "released");
  EXPECT_EQ(client.ReadResponse()->body, "GET /second");
}

TEST_F(Responses, AnswersInHandAreNotHeldBackByARequestThatWaits) {
  RawClient client = Connect();
  client.Send(Get("/first") + Get("/hold"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /first");
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "released");
}

TEST_F(Responses, ADroppedResponderAndAThrowingHandlerAnswer500AndGoOn) {
  RawClient client = Connect();
  client.Send(Get("/drop") + Get("/throw") + Get("/next"));
  EXPECT_EQ(client.ReadResponse()->status, 500);
  EXPECT_EQ(client.ReadResponse()->status, 500);
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Responses, EntriesOfEverySizeArriveWhole) {
  RawClient client = Connect();
  for (const std::size_t size : {0u, 1u, 4096u, 4097u, 70'000u, 12'000'000u}) {
    client.Send(Get("/entry?" + std::to_string(size)));
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->body, std::string(size, 'e')) << size;
  }
}

TEST_F(Responses, Http10ClosesUnlessAskedToKeepAlive) {
  RawClient client = Connect();
  client.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client.ReadResponse()->headers.at("connection"), "keep-alive");
  client.Send("GET /b HTTP/1.0\r\n\r\n" + Get("/canary"));
  EXPECT_EQ(client.ReadResponse()->headers.at("connection"), "close");
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(handler_->Recorded(), (std::vector<std::string>{"GET /a", "GET /b"}));
}

TEST_F(Responses, TheConnectionEndsWhenEitherSideSaysClose) {
  for (const std::string& request : {Get("/a", "Connection: close\r\n"), Get("/close")}) {
    RawClient client = Connect();
    client.Send(request + Get("/canary"));
    EXPECT_EQ(client.ReadResponse()->headers.at("connection"), "close");
    EXPECT_EQ(client.ReadToEnd(), "");
  }
  EXPECT_EQ(handler_->Recorded(), (std::vector<std::string>{"GET /a", "GET /close"}));
}

TEST_F(Responses, AClientThatFinishesSendingStillGetsItsAnswers) {
  RawClient client = Connect();
  client.Send(Get("/a") + Get("/hold"));
  client.FinishSending();
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  handler_->Release();
  EXPECT_EQ(client.ReadResponse()->body, "GET /a");
  EXPECT_EQ(client.ReadResponse()->body, "released");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(Responses, AnEmptyLineBeforeARequestIsSkipped) {
  RawClient client = Connect();
  client.Send("\r\n" + Get("/a") + "\r\n" + Get("/b"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /a");
  EXPECT_EQ(client.ReadResponse()->body, "GET /b");
}

TEST_F(Responses, OptionsAsteriskReachesTheHandler) {
  RawClient client = Connect();
  client.Send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.ReadResponse()->body, "OPTIONS *");
}

TEST_F(Responses, ManyClientsOnManyThreadsAllGetTheirOwn) {
  Serve({}, 3);
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 16; ++c) {
    clients.emplace_back([&, c] {
      RawClient client = Connect();
      for (int i = 0; i < 20; ++i) {
        const std::string path = (i % 2 ? "/later?" : "/now?") + std::to_string(c) + "-" + std::to_string(i);
        client.Send(Get(path));
        const auto response = client.ReadResponse();
        if (!response || response->body != "GET " + path) ++wrong;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace holdfast::api::testing
