#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/http/http_client.h"
#include "base/http/http_listener.h"
#include "tests/unit/base/http/raw_peer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr std::string_view kStreamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

ClientOptions To(const std::string& url) {
  ClientOptions options;
  options.base_url = url;
  return options;
}

void WriteText(Socket& socket, std::string_view text) {
  boost::system::error_code error;
  boost::asio::write(socket, boost::asio::buffer(text), error);
}

// What one stream gave: its lines and how it ended.
struct Streamed {
  std::vector<std::string> lines;
  Result<HttpClient::StreamEnd> end = Error(ErrorCode::kInternal, "not run");
};

Streamed Watch(HttpClient& client, HttpClient::StreamOptions options = {}, std::stop_token stop = {}) {
  Streamed streamed;
  streamed.end = client.Stream({}, options, stop, [&](std::string_view line) {
    streamed.lines.emplace_back(line);
    return true;
  });
  return streamed;
}

// A server that sends `answer` and closes.
Streamed StreamOf(std::string_view answer, HttpClient::StreamOptions options = {}) {
  RawServer server([&](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    WriteText(socket, answer);
  });
  HttpClient client(To(server.url()));
  return Watch(client, options);
}

TEST(HttpStream, LinesArriveAsTheyAreSentWhateverTheChunks) {
  std::atomic<int> seen = 0;
  RawServer server([&](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    WriteText(socket, kStreamHead);
    WriteText(socket, "4\r\none\n\r\n");
    EXPECT_TRUE(Eventually([&] { return seen == 1; })) << "the line waited for the next one";
    WriteText(socket, "2\r\ntw\r\n");
    WriteText(socket, "b\r\no\n\nfour\nfiv\r\n");
    WriteText(socket, "1\r\ne\r\n0\r\n\r\n");
  });
  HttpClient client(To(server.url()));
  std::vector<std::string> lines;
  const auto end = client.Stream({}, {}, {}, [&](std::string_view line) {
    lines.emplace_back(line);
    ++seen;
    return true;
  });
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_EQ(end->status, 200);
  EXPECT_THAT(lines, ElementsAre("one", "two", "", "four", "five"));
}

TEST(HttpStream, AStreamCutOffIsUnavailableAndItsHalfLineIsNotGiven) {
  for (const std::string_view rest : {"4\r\none\n\r\n3\r\nha", "4\r\none\n\r\n3\r\nhal\r\n", "4\r\none\n\r\n"}) {
    const Streamed streamed = StreamOf(std::string(kStreamHead).append(rest));
    ASSERT_FALSE(streamed.end.ok()) << rest;
    EXPECT_EQ(streamed.end.error().code(), ErrorCode::kUnavailable);
    EXPECT_THAT(streamed.lines, ElementsAre("one")) << rest;
  }
}

TEST(HttpStream, MalformedChunksAreUnavailable) {
  const Streamed streamed = StreamOf(std::string(kStreamHead).append("zz\r\nx\r\n0\r\n\r\n"));
  ASSERT_FALSE(streamed.end.ok());
  EXPECT_EQ(streamed.end.error().code(), ErrorCode::kUnavailable);
}

TEST(HttpStream, ALineAboveItsLimitEndsTheStream) {
  HttpClient::StreamOptions options;
  options.max_line_bytes = 4;
  EXPECT_TRUE(StreamOf(std::string(kStreamHead).append("5\r\nfour\n\r\n0\r\n\r\n"), options).end.ok());
  for (const std::string_view chunks : {"6\r\nfiver\n\r\n", "5\r\nfiver\r\n", "3\r\nfiv\r\n3\r\ner\n\r\n"}) {
    const Streamed streamed = StreamOf(std::string(kStreamHead).append(chunks), options);
    ASSERT_FALSE(streamed.end.ok()) << chunks;
    EXPECT_EQ(streamed.end.error().code(), ErrorCode::kResourceExhausted);
    EXPECT_TRUE(streamed.lines.empty());
  }
}

TEST(HttpStream, AnotherStatusGivesItsBodyAndNoLines) {
  const Streamed streamed = StreamOf("HTTP/1.1 410 Gone\r\nContent-Length: 9\r\n\r\ntoo old\n\n");
  ASSERT_TRUE(streamed.end.ok()) << streamed.end.error().ToString();
  EXPECT_EQ(streamed.end->status, 410);
  EXPECT_EQ(streamed.end->error_body, "too old\n\n");
  EXPECT_TRUE(streamed.lines.empty());
}

TEST(HttpStream, SilenceEndsIt) {
  std::atomic<bool> over = false;
  RawServer server([&](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    WriteText(socket, kStreamHead);
    WriteText(socket, "4\r\none\n\r\n");
    Eventually([&] { return over.load(); });
  });
  HttpClient client(To(server.url()));
  HttpClient::StreamOptions options;
  options.idle_timeout = milliseconds{150};
  const Streamed streamed = Watch(client, options);
  over = true;
  ASSERT_FALSE(streamed.end.ok());
  EXPECT_EQ(streamed.end.error().code(), ErrorCode::kDeadlineExceeded) << streamed.end.error().ToString();
  EXPECT_THAT(streamed.lines, ElementsAre("one"));
}

TEST(HttpStream, SilenceBeforeTheAnswerEndsItToo) {
  std::atomic<bool> over = false;
  RawServer server([&](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    Eventually([&] { return over.load(); });
  });
  HttpClient client(To(server.url()));
  HttpClient::StreamOptions options;
  options.idle_timeout = milliseconds{150};
  const Streamed streamed = Watch(client, options);
  over = true;
  ASSERT_FALSE(streamed.end.ok());
  EXPECT_EQ(streamed.end.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST(HttpStream, AStreamThatSpeaksIsNotIdleHoweverLongItLasts) {
  auto listener = HttpListener::Start({}, [](const ServerRequest&, ResponseWriter& response) {
    response.Begin(200, {});
    for (int i = 0; i < 35 && response.Write("tick\n"); ++i) std::this_thread::sleep_for(milliseconds{100});
  });
  ASSERT_TRUE(listener.ok());
  HttpClient client(To("http://127.0.0.1:" + std::to_string((*listener)->port())));
  HttpClient::StreamOptions options;
  options.idle_timeout = milliseconds{3'000};  // less than all of it, and far more than from line to line
  const Streamed streamed = Watch(client, options);
  EXPECT_TRUE(streamed.end.ok()) << streamed.end.error().ToString();
  EXPECT_EQ(streamed.lines.size(), 35u);
}

TEST(HttpStream, AStopEndsItAtOnceAndTheServerNotices) {
  std::atomic<bool> noticed = false;
  auto listener = HttpListener::Start({}, [&](const ServerRequest&, ResponseWriter& response) {
    response.Begin(200, {});
    response.Write("one\n");
    noticed = Eventually([&] { return response.Gone(); });
  });
  ASSERT_TRUE(listener.ok());
  HttpClient client(To("http://127.0.0.1:" + std::to_string((*listener)->port())));
  std::stop_source stop;
  const auto end = client.Stream({}, {}, stop.get_token(), [&](std::string_view) {
    std::jthread([&] { stop.request_stop(); });
    return true;
  });
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(Eventually([&] { return noticed.load(); }));

  const auto again = client.Stream({}, {}, stop.get_token(), [](std::string_view) { return true; });
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), ErrorCode::kCancelled);
}

TEST(HttpStream, TheReaderCanEndItAndTheServerNotices) {
  std::atomic<bool> noticed = false;
  auto listener = HttpListener::Start({}, [&](const ServerRequest&, ResponseWriter& response) {
    response.Begin(200, {});
    response.Write("one\ntwo\n");
    noticed = Eventually([&] { return response.Gone(); });
  });
  ASSERT_TRUE(listener.ok());
  HttpClient client(To("http://127.0.0.1:" + std::to_string((*listener)->port())));
  std::vector<std::string> lines;
  const auto end = client.Stream({}, {}, {}, [&](std::string_view line) {
    lines.emplace_back(line);
    return false;
  });
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_THAT(lines, ElementsAre("one"));
  EXPECT_TRUE(Eventually([&] { return noticed.load(); }));
}

TEST(HttpStream, ASlowReaderHoldsTheServerBack) {
  std::atomic<std::size_t> sent = 0;
  std::atomic<bool> first_line = false;
  std::atomic<bool> go_on = false;
  constexpr std::size_t kLine = 64u << 10;
  constexpr std::size_t kLines = 1600;  // 100 MiB, far more than sockets and buffers hold
  auto listener = HttpListener::Start({}, [&](const ServerRequest&, ResponseWriter& response) {
    response.Begin(200, {});
    std::string line(kLine, 'x');
    line.back() = '\n';
    for (std::size_t i = 0; i < kLines && response.Write(line); ++i) sent += kLine;
  });
  ASSERT_TRUE(listener.ok());
  HttpClient client(To("http://127.0.0.1:" + std::to_string((*listener)->port())));
  std::size_t lines = 0;
  std::jthread release([&] {
    EXPECT_TRUE(Eventually([&] { return first_line.load(); }));
    // The server is held back once it makes no more progress while nobody reads.
    std::size_t before = 0;
    EXPECT_TRUE(Eventually([&] {
      std::this_thread::sleep_for(milliseconds{100});
      return std::exchange(before, sent.load()) == sent.load();
    }));
    EXPECT_LT(sent, kLines * kLine / 2);
    go_on = true;
  });
  const auto end = client.Stream({}, {}, {}, [&](std::string_view line) {
    EXPECT_EQ(line.size(), kLine - 1);
    if (++lines == 1) {
      first_line = true;
      EXPECT_TRUE(Eventually([&] { return go_on.load(); }));
    }
    return true;
  });
  ASSERT_TRUE(end.ok()) << end.error().ToString();
  EXPECT_EQ(lines, kLines);
}

TEST(HttpStream, ManyStreamsAndRequestsShareFewThreads) {
  auto listener = HttpListener::Start({}, [](const ServerRequest& request, ResponseWriter& response) {
    if (request.target != "/watch") {
      response.Send(200, {}, "ok");
      return;
    }
    response.Begin(200, {});
    response.Write("up\n");
    EXPECT_TRUE(Eventually([&] { return response.Gone(); }));
  });
  ASSERT_TRUE(listener.ok());
  HttpClient client(To("http://127.0.0.1:" + std::to_string((*listener)->port())));
  std::atomic<int> up = 0;
  std::vector<std::jthread> watches;
  // More streams than the library has threads: none may keep one.
  for (int i = 0; i < 12; ++i) {
    watches.emplace_back([&](std::stop_token stop) {
      const auto end = client.Stream({"GET", "/watch", {}, ""}, {}, stop, [&](std::string_view) {
        ++up;
        return true;
      });
      EXPECT_FALSE(end.ok());
    });
  }
  ASSERT_TRUE(Eventually([&] { return up == 12; }));
  for (int i = 0; i < 20; ++i) {
    const auto answer = client.Send({"POST", "/", {}, "x"}, Deadline::After(seconds{10}));
    ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  }
}

}  // namespace
}  // namespace holdfast::http
