#include "base/http/http_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/http/admin_listener.h"
#include "tests/unit/base/http/raw_peer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void Echo(const ServerRequest& request, ResponseWriter& response) {
  response.Send(200, {{"X-Method", request.method}, {"X-Target", request.target}}, request.body);
}

std::unique_ptr<HttpListener> StartListener(ListenerHandler handler = Echo, ListenerOptions options = {}) {
  auto listener = HttpListener::Start(options, std::move(handler));
  EXPECT_TRUE(listener.ok()) << listener.error().ToString();
  return std::move(listener).value();
}

// The whole answer to `request` on a connection of its own; the listener must close it.
std::string AnswerTo(const HttpListener& listener, std::string_view request) {
  RawClient client(listener.port());
  client.Write(request);
  return ReadToEnd(client.socket());
}

std::string StatusLine(std::string_view answer) {
  return std::string(answer.substr(0, answer.find("\r\n")));
}

TEST(HttpListener, ServesManyRequestsOnOneConnection) {
  const auto listener = StartListener();
  RawClient client(listener->port());
  client.Write("POST /a?b=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz");
  const std::string first = ReadUntil(client.socket(), "xyz");
  EXPECT_EQ(StatusLine(first), "HTTP/1.1 200 OK");
  EXPECT_NE(first.find("X-Target: /a?b=%20\r\n"), std::string::npos) << first;
  EXPECT_NE(first.find("Content-Length: 3\r\n"), std::string::npos) << first;
  client.Write("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_EQ(StatusLine(ReadUntil(client.socket(), "abc")), "HTTP/1.1 200 OK");
}

TEST(HttpListener, AnswersPipelinedRequestsInOrder) {
  const auto listener = StartListener();
  const std::string answers =
      AnswerTo(*listener,
               "PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none"
               "PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntwo");
  const std::size_t one = answers.find("\r\n\r\none");
  const std::size_t two = answers.find("\r\n\r\ntwo");
  ASSERT_NE(one, std::string::npos) << answers;
  ASSERT_NE(two, std::string::npos) << answers;
  EXPECT_LT(one, two);
}

TEST(HttpListener, HeadHasTheLengthAndNoBody) {
  const auto listener =
      StartListener([](const ServerRequest&, ResponseWriter& response) { response.Send(200, {}, "hello"); });
  const std::string answer = AnswerTo(*listener, "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(answer.substr(answer.size() - 4), "\r\n\r\n");
}

TEST(HttpListener, SaysContinueToWhoeverWaitsForIt) {
  const auto listener = StartListener();
  RawClient client(listener->port());
  client.Write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(StatusLine(ReadUntil(client.socket(), "\r\n\r\n")), "HTTP/1.1 100 Continue");
  client.Write("ok");
  EXPECT_EQ(StatusLine(ReadUntil(client.socket(), "ok")), "HTTP/1.1 200 OK");
}

TEST(HttpListener, RefusesMalformedAndAmbiguousFraming) {
  const auto listener = StartListener();
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"nonsense\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3x\r\n\r\nabc", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
  };
  for (const auto& [request, status] : cases) {
    const std::string answer = AnswerTo(*listener, request);
    EXPECT_EQ(StatusLine(answer).substr(0, 12), "HTTP/1.1 " + std::string(status)) << request << "\n" << answer;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
  }
}

TEST(HttpListener, BoundsHeadersAndBodies) {
  ListenerOptions options;
  options.max_body_bytes = 10;
  const auto listener = StartListener(Echo, options);
  EXPECT_EQ(StatusLine(AnswerTo(*listener, "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"))
                .substr(9, 3),
            "431");
  EXPECT_EQ(StatusLine(AnswerTo(*listener, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n12345678901"))
                .substr(9, 3),
            "413");
  EXPECT_EQ(
      StatusLine(
          AnswerTo(*listener,
                   "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"))
          .substr(9, 3),
      "413");
  EXPECT_EQ(
      StatusLine(
          AnswerTo(*listener, "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 10\r\n\r\n1234567890"))
          .substr(9, 3),
      "200");
}

TEST(HttpListener, ASilentPeerIsClosedAndASlowOneToldWhy) {
  ListenerOptions options;
  options.idle_timeout = milliseconds{1'000};  // in which the others have sent what they send
  const auto listener = StartListener(Echo, options);
  const auto answer_to = [&](const std::string& bytes) {
    return std::async(std::launch::async, [&listener, bytes] { return AnswerTo(*listener, bytes); });
  };
  auto silent = answer_to("");
  auto half_a_head = answer_to("GET / HT");
  auto half_a_body = answer_to("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(silent.get(), "");
  EXPECT_THAT(half_a_head.get(), testing::StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(half_a_body.get(), testing::StartsWith("HTTP/1.1 408"));
}

TEST(HttpListener, APeerThatTricklesBytesCannotStretchItsTime) {
  ListenerOptions options;
  options.idle_timeout = milliseconds{1'000};
  const auto listener = StartListener(Echo, options);
  RawClient client(listener->port());
  std::atomic<bool> closed = false;
  std::jthread trickle([&](std::stop_token stop) {
    client.Write("GET / HTTP/1.1\r\nX: ");
    while (!stop.stop_requested() && !closed) {
      client.Write("x");
      std::this_thread::sleep_for(milliseconds{10});
    }
  });
  EXPECT_EQ(StatusLine(ReadUntil(client.socket(), "\r\n\r\n")).substr(9, 3), "408");
  closed = true;
}

TEST(HttpListener, OneConnectionTooManyGets503AndAFreedPlaceIsUsedAgain) {
  ListenerOptions options;
  options.max_connections = 1;
  const auto listener = StartListener(Echo, options);
  const std::string_view request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  {
    RawClient holds(listener->port());
    holds.Write("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    ASSERT_EQ(StatusLine(ReadUntil(holds.socket(), "ok")).substr(9, 3), "200");
    EXPECT_EQ(StatusLine(AnswerTo(*listener, request)).substr(9, 3), "503");
  }
  EXPECT_TRUE(Eventually([&] { return StatusLine(AnswerTo(*listener, request)).substr(9, 3) == "200"; }));
}

TEST(HttpListener, StreamsInChunksAndNoticesThatThePeerHasGone) {
  std::atomic<bool> noticed = false;
  const auto listener = StartListener([&](const ServerRequest&, ResponseWriter& response) {
    ASSERT_TRUE(response.Begin(200, {{"Content-Type", "text/plain"}}));
    EXPECT_TRUE(response.Write("first\n"));
    EXPECT_TRUE(response.Write(""));
    noticed = Eventually([&] { return response.Gone(); });
  });
  {
    RawClient client(listener->port());
    client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_NE(ReadUntil(client.socket(), "first\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
    EXPECT_FALSE(noticed);
  }
  EXPECT_TRUE(Eventually([&] { return noticed.load(); }));
}

TEST(HttpListener, StoppingBreaksStreamsOffWithoutTheirEnd) {
  std::atomic<bool> begun = false;
  auto listener = StartListener([&](const ServerRequest&, ResponseWriter& response) {
    response.Begin(200, {});
    begun = true;
    EXPECT_TRUE(Eventually([&] { return response.Gone(); }));
  });
  RawClient client(listener->port());
  client.Write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return begun.load(); }));
  RawClient idle(listener->port());
  listener.reset();
  EXPECT_EQ(ReadToEnd(client.socket()).find("\r\n0\r\n\r\n"), std::string::npos);
  EXPECT_EQ(ReadToEnd(idle.socket()), "");
}

TEST(HttpListener, AHandlerThatFailsOrSaysNothingAnswers500) {
  const auto listener = StartListener([](const ServerRequest& request, ResponseWriter&) {
    if (request.target == "/throws") throw std::runtime_error("a mistake");
  });
  for (const std::string target : {"/throws", "/silent"}) {
    const std::string answer =
        AnswerTo(*listener, "GET " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(StatusLine(answer).substr(9, 3), "500") << target;
    EXPECT_EQ(answer.find("a mistake"), std::string::npos);
  }
}

TEST(HttpListener, AHeaderValueCannotSmuggleAnother) {
  const auto listener = StartListener([](const ServerRequest&, ResponseWriter& response) {
    response.Send(200, {{"X-Echo", "a\r\nSet-Cookie: forged"}}, "");
  });
  const std::string answer = AnswerTo(*listener, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.find("forged"), std::string::npos) << answer;
}

TEST(HttpListener, ATakenPortAndANonAddressAreNamed) {
  const auto listener = StartListener();
  ListenerOptions options;
  options.port = listener->port();
  const auto second = HttpListener::Start(options, Echo);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("127.0.0.1 port " + std::to_string(listener->port())), std::string::npos);

  options.address = "localhost:80";
  const auto third = HttpListener::Start(options, Echo);
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code(), ErrorCode::kInvalidArgument);
}

TEST(AdminListener, AnswersProbesAndMetrics) {
  metrics::Registry registry;
  registry.GetCounter("asked_total", "Asked.").Increment();
  std::atomic<bool> up = false;
  const auto admin = AdminListener::Start(
      {},
      {.ready = [&]() -> Status { return up ? Status() : Error(ErrorCode::kUnavailable, "store main is opening"); },
       .health =
           [&] {
             return Health{up, R"({"status":"x"})"};
           }},
      registry);
  ASSERT_TRUE(admin.ok()) << admin.error().ToString();
  const auto get = [&](const std::string& path, const std::string& method = "GET") {
    RawClient client((*admin)->port());
    client.Write(method + " " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    return ReadToEnd(client.socket());
  };
  EXPECT_EQ(StatusLine(get("/livez")).substr(9, 3), "200");
  EXPECT_EQ(StatusLine(get("/readyz")).substr(9, 3), "503");
  EXPECT_NE(get("/readyz").find("store main is opening"), std::string::npos);
  EXPECT_EQ(StatusLine(get("/healthz")).substr(9, 3), "503");
  up = true;
  EXPECT_EQ(StatusLine(get("/readyz?verbose")).substr(9, 3), "200");
  EXPECT_NE(get("/healthz").find(R"({"status":"x"})"), std::string::npos);
  EXPECT_NE(get("/metrics").find("asked_total 1\n"), std::string::npos);
  EXPECT_EQ(StatusLine(get("/other")).substr(9, 3), "404");
  EXPECT_EQ(StatusLine(get("/livez", "DELETE")).substr(9, 3), "405");
}

TEST(AdminListener, PagesComeWithAStrictPolicy) {
  metrics::Registry registry;
  const auto admin = AdminListener::Start({}, {}, registry, {{"/", "text/html", "<p>page</p>"}});
  ASSERT_TRUE(admin.ok()) << admin.error().ToString();
  const auto get = [&](const std::string& path) {
    RawClient client((*admin)->port());
    client.Write("GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    return ReadToEnd(client.socket());
  };
  const std::string answer = get("/?from=bookmark");
  EXPECT_EQ(StatusLine(answer).substr(9, 3), "200");
  EXPECT_NE(answer.find("<p>page</p>"), std::string::npos);
  EXPECT_NE(answer.find("Content-Security-Policy: default-src 'none'; script-src 'self';"), std::string::npos);
  EXPECT_EQ(answer.find("unsafe"), std::string::npos);
  EXPECT_EQ(StatusLine(get("/index.html")).substr(9, 3), "404");
}

}  // namespace
}  // namespace holdfast::http
