// Bodies that the handler takes in pieces, while they arrive.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/metrics/metrics.h"
#include "service/http/http_server.h"
#include "tests/integration/http_framing/raw_client.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

// PUT /kept: reads the body, once it may, and answers with it; PUT /early: answers when something of it has come;
// PUT /refused: answers at once. GET: "next".
class TakingHandler final : public Handler {
 public:
  ~TakingHandler() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void Handle(Request& request, Responder responder) override {
    if (request.incoming == nullptr || request.path == "/refused") return Answer(responder, 403, "next");
    const bool early = request.path == "/early";
    threads_.emplace_back(
        [this, early, body = request.incoming, kept = std::make_shared<Responder>(std::move(responder))] {
          allowed_.wait();
          Take(*body, early, *kept);
        });
  }
  BodyTerms TermsOfBody(const Request& request) const override {
    return {.max_bytes = std::size_t{64} << 20, .in_pieces = request.method == Method::kPut};
  }
  Response Refuse(int status, std::string_view code, std::string_view detail) const override {
    Response response;
    response.status = status;
    response.body = fmt::format("{}: {}", code, detail);
    return response;
  }

  void Allow() { allow_.set_value(); }
  std::size_t Taken() const {
    const std::lock_guard lock(mutex_);
    return taken_.size();
  }
  // What a body ended with, where that was not its end.
  std::optional<ErrorCode> Failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  static void Answer(Responder& responder, int status, std::string body) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    responder.Send(std::move(response));
  }
  void Take(IncomingBody& body, bool early, Responder& responder) {
    std::string buffer(5'000, '\0');
    while (true) {
      const auto read = body.Read(buffer.data(), buffer.size());
      std::unique_lock lock(mutex_);
      if (!read.ok()) failure_ = read.error().code();
      if (read.ok()) taken_.append(buffer, 0, *read);
      std::string taken = taken_;
      lock.unlock();
      if (!read.ok()) return Answer(responder, 400, read.error().message());
      if (early || *read == 0) return Answer(responder, early ? 507 : 200, std::move(taken));
    }
  }

  std::promise<void> allow_;
  const std::shared_future<void> allowed_ = allow_.get_future().share();
  std::vector<std::thread> threads_;
  mutable std::mutex mutex_;
  std::string taken_;                 // guarded by mutex_
  std::optional<ErrorCode> failure_;  // guarded by mutex_
};

class TakingTest : public ::testing::Test {
 protected:
  void Serve(const ServerLimits& limits = {}) {
    ServerOptions options;
    options.port = 0;
    options.threads = 1;
    options.limits = limits;
    auto server = HttpServer::Start(options, handler_, registry_);
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    server_ = std::move(*server);
  }

  std::shared_ptr<TakingHandler> handler_ = std::make_shared<TakingHandler>();
  metrics::Registry registry_;
  std::unique_ptr<HttpServer> server_;
};

// The framing of a body: with its length, or in chunks.
class IncomingTest : public TakingTest, public ::testing::WithParamInterface<bool> {
 protected:
  static bool Chunked() { return GetParam(); }
  static std::string Head(const std::string& path, std::size_t bytes, const std::string& headers = "") {
    const std::string framing = Chunked() ? "Transfer-Encoding: chunked" : fmt::format("Content-Length: {}", bytes);
    return fmt::format("PUT {} HTTP/1.1\r\nHost: x\r\n{}{}\r\n\r\n", path, headers, framing);
  }
  static std::string Piece(const std::string& bytes) {
    return Chunked() ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : bytes;
  }
  static std::string End() { return Chunked() ? "0\r\n\r\n" : ""; }
  static std::string Bytes(std::size_t count) {
    std::string bytes(count, '\0');
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<char>('a' + i % 23);
    return bytes;
  }
};

TEST_P(IncomingTest, AreTakenBeforeTheirEndHasCome) {
  Serve();
  handler_->Allow();
  RawClient client(server_->port());
  client.Send(Head("/kept", 10) + Piece("first"));
  EXPECT_TRUE(Eventually([&] { return handler_->Taken() == 5; }));
  client.Send(Piece("other") + End());
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "firstother");
}

TEST_P(IncomingTest, LeaveWhatIsBehindThemToTheNextRequest) {
  Serve();
  RawClient client(server_->port());
  // Also when it has arrived before anything of the body was taken.
  client.Send(Head("/kept", 4) + Piece("body") + End() + Get("/next"));
  handler_->Allow();
  const auto first = client.ReadResponse();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->body, "body");
  const auto second = client.ReadResponse();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "next");
}

// Much more than the server keeps of one: it goes on as the handler takes it.
TEST_P(IncomingTest, MayBeLongerThanWhatIsKeptOfThem) {
  Serve();
  RawClient client(server_->port());
  const std::string bytes = Bytes(5 * IncomingBody::kMostBytes);
  std::thread sending([&] {
    client.Send(Head("/kept", bytes.size()));
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) client.Send(Piece(bytes.substr(at, 100'000)));
    client.Send(End());
  });
  handler_->Allow();
  sending.join();
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->body == bytes) << answer->body.size();
}

TEST_P(IncomingTest, AnAnswerBeforeTheirEndIsTheLastOfTheConnection) {
  Serve();
  handler_->Allow();
  for (const std::string path : {"/early", "/refused"}) {
    RawClient client(server_->port());
    client.Send(Head(path, 1'000'000) + Piece("some"));
    const auto answer = client.ReadResponse();
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, path == "/early" ? 507 : 403);
    EXPECT_EQ(answer->headers.at("connection"), "close");
    client.FinishSending();
    EXPECT_EQ(client.ReadToEnd(), "") << path;
  }
}

TEST_P(IncomingTest, AreAskedForWhenTheClientWaitsForThat) {
  Serve();
  handler_->Allow();
  RawClient client(server_->port());
  client.Send(Head("/kept", 4, "Expect: 100-continue\r\n"));
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(client.ReadBytes(kContinue.size()), kContinue);
  client.Send(Piece("body") + End());
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "body");
  // One that is refused is not.
  RawClient refused(server_->port());
  refused.Send(Head("/refused", 4, "Expect: 100-continue\r\n"));
  const auto refusal = refused.ReadResponse();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 403);
}

TEST_P(IncomingTest, EndWithAnErrorWhenTheClientLeaves) {
  Serve();
  handler_->Allow();
  {
    RawClient client(server_->port());
    client.Send(Head("/kept", 10) + Piece("first"));
    EXPECT_TRUE(Eventually([&] { return handler_->Taken() == 5; }));
  }
  EXPECT_TRUE(Eventually([&] { return handler_->Failure() == ErrorCode::kCancelled; }));
}

TEST_P(IncomingTest, EndWithAnErrorWhenTheServerDoes) {
  Serve();
  handler_->Allow();
  RawClient client(server_->port());
  client.Send(Head("/kept", 10) + Piece("first"));
  EXPECT_TRUE(Eventually([&] { return handler_->Taken() == 5; }));
  server_->Shutdown(Deadline::After(std::chrono::milliseconds{1}));
  EXPECT_TRUE(Eventually([&] { return handler_->Failure() == ErrorCode::kCancelled; }));
}

TEST_P(IncomingTest, EndWithAnErrorWhenNothingComesForTooLong) {
  ServerLimits limits;
  limits.body_timeout = std::chrono::milliseconds{50};
  Serve(limits);
  handler_->Allow();
  RawClient client(server_->port());
  client.Send(Head("/kept", 10) + Piece("first"));
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "nothing of the body of the request came within 50 ms");
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_EQ(handler_->Failure(), ErrorCode::kDeadlineExceeded);
}

TEST_F(TakingTest, BodiesEndWithAnErrorWhenTheirChunksAreMalformed) {
  Serve();
  handler_->Allow();
  RawClient client(server_->port());
  client.Send("PUT /kept HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nno size\r\n");
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "a chunk size is not a hexadecimal number");
  EXPECT_EQ(answer->headers.at("connection"), "close");
  EXPECT_EQ(handler_->Failure(), ErrorCode::kInvalidArgument);
}

TEST_F(TakingTest, BodiesAreRefusedUnreadWhenTheySayThatTheyAreTooLong) {
  Serve();
  RawClient client(server_->port());
  client.Send(fmt::format("PUT /kept HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", (64 << 20) + 1));
  const auto answer = client.ReadResponse();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 413);
}

INSTANTIATE_TEST_SUITE_P(Framing, IncomingTest, ::testing::Bool(), [](const ::testing::TestParamInfo<bool>& framing) {
  return framing.param ? "chunked" : "length";
});

}  // namespace
}  // namespace holdfast::api::testing
