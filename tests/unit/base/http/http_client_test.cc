#include "base/http/http_client.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

#include "base/http/http_listener.h"
#include "tests/unit/base/http/raw_peer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Deadline Soon() {
  return Deadline::After(seconds{20});
}

std::unique_ptr<HttpListener> StartListener(ListenerHandler handler, ListenerOptions options = {}) {
  auto listener = HttpListener::Start(options, std::move(handler));
  EXPECT_TRUE(listener.ok()) << listener.error().ToString();
  return std::move(listener).value();
}

ClientOptions To(const HttpListener& listener) {
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(listener.port());
  return options;
}

ClientOptions To(const RawServer& server) {
  ClientOptions options;
  options.base_url = server.url();
  return options;
}

TEST(HttpClient, SendsWhatItIsGivenAndReturnsWhatItGets) {
  const auto listener = StartListener([](const ServerRequest& request, ResponseWriter& response) {
    const auto type = request.headers.find("content-type");
    response.Send(201, {{"ETag", "\"7\""}, {"X-Type", type == request.headers.end() ? "none" : type->second}},
                  request.method + " " + request.target + " " + request.body);
  });
  HttpClient client(To(*listener));
  const auto put = client.Send({"PUT", "/v1/keys/a%2Fb?ttl=1h&x=%20", {{"Content-Type", "text/x"}}, "value"}, Soon());
  ASSERT_TRUE(put.ok()) << put.error().ToString();
  EXPECT_EQ(put->status, 201);
  EXPECT_EQ(put->body, "PUT /v1/keys/a%2Fb?ttl=1h&x=%20 value");
  EXPECT_EQ(put->headers.at("etag"), "\"7\"");
  EXPECT_EQ(put->headers.at("x-type"), "text/x");

  const auto deleted = client.Send({"DELETE", "/", {}, ""}, Soon());
  ASSERT_TRUE(deleted.ok()) << deleted.error().ToString();
  EXPECT_EQ(deleted->body, "DELETE / ");
  EXPECT_EQ(deleted->headers.at("x-type"), "none");
}

TEST(HttpClient, TargetsArriveByteForByteOrAreRefused) {
  const auto listener = StartListener(
      [](const ServerRequest& request, ResponseWriter& response) { response.Send(200, {}, request.target); });
  HttpClient client(To(*listener));
  for (const std::string target :
       {"/", "/a//b", "/a/../b", "/a/./b/", "/%00%ff%FF%2f", "/a:b@c;d=e,f!$&'()*+", "/?a=b&c=d",
        "/x?labelSelector=a%3Db", "/x?a", "/x?a=b?c", "/~-_.", "/x?&a=b", "/x?a=/b/", "/%zz"}) {
    const auto answer = client.Send({"GET", target, {}, ""}, Soon());
    ASSERT_TRUE(answer.ok()) << answer.error().ToString();
    EXPECT_EQ(answer->body, target);
  }
  // The last three are legal, but the library would send something else.
  for (const std::string target : {"", "/a b", "/\xC3\xBC", "/a\r\nX: y", "//x", "/x?", "/x/?"}) {
    const auto answer = client.Send({"GET", target, {}, ""}, Soon());
    ASSERT_FALSE(answer.ok()) << target << " arrived as " << answer->body;
    EXPECT_EQ(answer.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(HttpClient, LargeBodiesGoBothWays) {
  ListenerOptions options;
  options.max_body_bytes = 16u << 20;
  const auto listener = StartListener(
      [](const ServerRequest& request, ResponseWriter& response) { response.Send(200, {}, request.body); }, options);
  HttpClient client(To(*listener));
  std::string body(9u << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 977) body[i] = static_cast<char>('a' + i % 26);
  const auto answer = client.Send({"POST", "/", {}, body}, Soon());
  ASSERT_TRUE(answer.ok()) << answer.error().ToString();
  EXPECT_TRUE(answer->body == body);
}

TEST(HttpClient, AnAnswerAboveItsLimitIsRefused) {
  const auto listener = StartListener(
      [](const ServerRequest&, ResponseWriter& response) { response.Send(200, {}, std::string(100'000, 'x')); });
  ClientOptions options = To(*listener);
  options.max_response_bytes = 1000;
  HttpClient client(options);
  const auto answer = client.Send({}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_NE(answer.error().message().find("max_response_bytes"), std::string::npos);
}

TEST(HttpClient, RequestsThatWouldForgeOthersAreRefused) {
  const auto listener =
      StartListener([](const ServerRequest&, ResponseWriter& response) { response.Send(200, {}, ""); });
  HttpClient client(To(*listener));
  const ClientRequest forged[] = {
      {"GET", "/", {{"X", "a\r\nY: b"}}, ""},
      {"GET", "/", {{"X\r\nY", "a"}}, ""},
      {"GET", "/", {{"", "a"}}, ""},
      {"GE T", "/", {}, ""},
      {"", "/", {}, ""},
  };
  for (const ClientRequest& request : forged) {
    const auto answer = client.Send(request, Soon());
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(HttpClient, OptionsThatMakeNoSenseAreReportedByEveryRequest) {
  for (const std::string url :
       {"", "127.0.0.1:80", "ftp://h", "http://", "http://h/path", "http://[::1]:80", "http://h:p"}) {
    ClientOptions options;
    options.base_url = url;
    HttpClient client(options);
    const auto answer = client.Send({}, Soon());
    ASSERT_FALSE(answer.ok()) << url;
    EXPECT_EQ(answer.error().code(), ErrorCode::kInvalidArgument) << url << ": " << answer.error().ToString();
  }
}

TEST(HttpClient, ATokenIsAskedForEveryTimeAndNeverShown) {
  const auto listener = StartListener([](const ServerRequest& request, ResponseWriter& response) {
    const auto token = request.headers.find("authorization");
    response.Send(200, {}, token == request.headers.end() ? "none" : token->second);
  });
  std::string token = "one";
  ClientOptions options = To(*listener);
  options.bearer_token = [&] { return token; };
  HttpClient client(options);
  EXPECT_EQ(client.Send({}, Soon())->body, "Bearer one");
  token = "two";
  EXPECT_EQ(client.Send({}, Soon())->body, "Bearer two");
  token = "";
  EXPECT_EQ(client.Send({}, Soon())->body, "none");
  token = "canary-4711\n";
  const auto refused = client.Send({}, Soon());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused.error().message().find("canary"), std::string::npos);
}

TEST(HttpClient, RedirectsAreAnswersNotOrders) {
  std::atomic<int> asked = 0;
  const auto listener = StartListener([&](const ServerRequest&, ResponseWriter& response) {
    ++asked;
    response.Send(302, {{"Location", "/elsewhere"}}, "");
  });
  HttpClient client(To(*listener));
  EXPECT_EQ(client.Send({}, Soon())->status, 302);
  EXPECT_EQ(asked, 1);
}

TEST(HttpClient, NobodyListensIsUnavailableAlsoForAPost) {
  auto listener = StartListener([](const ServerRequest&, ResponseWriter&) {});
  const ClientOptions options = To(*listener);
  listener.reset();
  HttpClient client(options);
  for (const std::string method : {"GET", "POST", "DELETE"}) {
    const auto answer = client.Send({method, "/", {}, ""}, Soon());
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable) << answer.error().ToString();
    EXPECT_NE(answer.error().message().find(options.base_url), std::string::npos);
  }
}

TEST(HttpClient, AConnectionThatIsNotAcceptedIsGivenUp) {
  // A listening socket whose queue is full takes no further connection.
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor acceptor(io);
  acceptor.open(boost::asio::ip::tcp::v4());
  acceptor.bind({boost::asio::ip::address_v4::loopback(), 0});
  acceptor.listen(0);
  std::vector<Socket> filling;
  for (int i = 0; i < 3; ++i) {
    filling.emplace_back(io).async_connect(acceptor.local_endpoint(), [](const boost::system::error_code&) {});
  }
  io.poll();
  ClientOptions options;
  options.base_url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  options.connect_timeout = milliseconds{150};
  HttpClient client(options);
  const auto answer = client.Send({"POST", "/", {}, "x"}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable) << answer.error().ToString();
  EXPECT_NE(answer.error().message().find("connect_timeout"), std::string::npos);
}

TEST(HttpClient, AnAnswerLostAfterSendingIsUnknownForWritesAndUnavailableForReads) {
  RawServer server([](Socket& socket) { ReadUntil(socket, "\r\n\r\n"); });
  for (const auto& [method, code] :
       {std::pair{"POST", ErrorCode::kOutcomeUnknown}, std::pair{"PUT", ErrorCode::kOutcomeUnknown},
        std::pair{"PATCH", ErrorCode::kOutcomeUnknown}, std::pair{"DELETE", ErrorCode::kOutcomeUnknown},
        std::pair{"GET", ErrorCode::kUnavailable}, std::pair{"HEAD", ErrorCode::kUnavailable}}) {
    HttpClient client(To(server));
    const int before = server.connections();
    const auto answer = client.Send({method, "/", {}, ""}, Soon());
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code(), code) << method << ": " << answer.error().ToString();
    EXPECT_EQ(server.connections(), before + 1) << method << " was sent again";
  }
}

TEST(HttpClient, AWriteOnAUsedConnectionIsNeverSentTwice) {
  std::atomic<int> writes = 0;
  std::atomic<bool> write_was_on_used = false;
  // Answers reads; takes a write and closes without an answer.
  RawServer server([&](Socket& socket) {
    for (bool used = false;; used = true) {
      const std::string request = ReadUntil(socket, "\r\n\r\n");
      if (request.empty()) return;
      if (request.starts_with("DELETE")) {
        write_was_on_used = used;
        ++writes;
        return;
      }
      boost::asio::write(socket,
                         boost::asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
    }
  });
  for (const std::string body : {"", "body"}) {
    HttpClient client(To(server));
    // The library puts a connection back a moment after its answer; until it has, the next request takes a new one.
    EXPECT_TRUE(Eventually([&] {
      writes = 0;
      EXPECT_TRUE(client.Send({"GET", "/", {}, ""}, Soon()).ok());
      const auto answer = client.Send({"DELETE", "/", {}, body}, Soon());
      EXPECT_FALSE(answer.ok());
      EXPECT_EQ(answer.error().code(), ErrorCode::kOutcomeUnknown) << answer.error().ToString();
      EXPECT_EQ(writes, 1) << "the library sent the request again";
      return testing::Test::HasFailure() || write_was_on_used;
    }));
  }
}

TEST(HttpClient, AConnectionClosedWhileUnusedIsReplacedBeforeAWrite) {
  RawServer server([](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    boost::asio::write(socket, boost::asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
  });
  HttpClient client(To(server));
  for (int i = 0; i < 5; ++i) {
    const auto answer = client.Send({"POST", "/", {}, ""}, Soon());
    ASSERT_TRUE(answer.ok()) << answer.error().ToString();
    ASSERT_TRUE(Eventually([&] { return server.closed() == i + 1; }));
  }
  EXPECT_EQ(server.connections(), 5);
}

TEST(HttpClient, ConnectionsAreUsedAgain) {
  std::mutex mutex;
  std::set<std::string> peers;
  std::atomic<bool> used_again = false;
  const auto listener = StartListener([&](const ServerRequest& request, ResponseWriter& response) {
    std::lock_guard lock(mutex);
    if (!peers.insert(request.peer).second) used_again = true;
    response.Send(200, {}, "ok");
  });
  HttpClient client(To(*listener));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(client.Send({"POST", "/", {}, "x"}, Soon()).ok());
    return used_again.load();
  }));
}

TEST(HttpClient, ADeadlineEndsTheWaitAndSaysWhetherItWasSent) {
  std::atomic<bool> release = false;
  RawServer server([&](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    Eventually([&] { return release.load(); });
  });
  HttpClient client(To(server));
  // Time enough to send it.
  const auto unknown = client.Send({"POST", "/", {}, "x"}, Deadline::After(std::chrono::seconds{2}));
  release = true;
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kOutcomeUnknown) << unknown.error().ToString();
  release = false;
  const auto exceeded = client.Send({"GET", "/", {}, ""}, Deadline::After(milliseconds{100}));
  release = true;
  ASSERT_FALSE(exceeded.ok());
  EXPECT_EQ(exceeded.error().code(), ErrorCode::kDeadlineExceeded) << exceeded.error().ToString();
  const auto passed = client.Send({"POST", "/", {}, "x"}, Deadline::After(milliseconds{0}));
  ASSERT_FALSE(passed.ok());
  EXPECT_EQ(passed.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST(HttpClient, AnAnswerCutShortIsNoAnswer) {
  RawServer server([](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    boost::asio::write(socket,
                       boost::asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")));
  });
  HttpClient client(To(server));
  const auto read = client.Send({"GET", "/", {}, ""}, Soon());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code(), ErrorCode::kUnavailable);
  const auto written = client.Send({"POST", "/", {}, ""}, Soon());
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::kOutcomeUnknown);
}

TEST(HttpClient, AnAnswerThatIsNotHttpIsUnavailable) {
  RawServer server([](Socket& socket) {
    ReadUntil(socket, "\r\n\r\n");
    boost::asio::write(socket, boost::asio::buffer(std::string_view("SSH-2.0-OpenSSH\r\n\r\n")));
  });
  HttpClient client(To(server));
  const auto answer = client.Send({}, Soon());
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kUnavailable) << answer.error().ToString();
}

TEST(HttpClient, ManyThreadsShareOne) {
  const auto listener = StartListener(
      [](const ServerRequest& request, ResponseWriter& response) { response.Send(200, {}, request.body); });
  HttpClient client(To(*listener));
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 50; ++i) {
          const std::string body = std::to_string(thread) + ":" + std::to_string(i);
          const auto answer = client.Send({"POST", "/", {}, body}, Soon());
          if (answer.ok() && answer->body == body) ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, 8 * 50);
}

}  // namespace
}  // namespace holdfast::http
