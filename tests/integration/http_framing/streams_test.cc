// Bodies that come into being while they are sent: pulled only as fast as the client takes them, ended with their
// connection, and never in the way of another one.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/integration/http_framing/test_streams.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

using std::chrono::milliseconds;

class Streams : public ServerTest {
 protected:
  // What the next request of /stream gets. The connection alone keeps it alive.
  template <typename Stream, typename... Arguments>
  std::weak_ptr<Stream> Next(Arguments... arguments) {
    auto stream = std::make_shared<Stream>(arguments...);
    std::weak_ptr<Stream> weak = stream;
    handler_->AnswerStreamsWith([stream]() mutable -> std::shared_ptr<BodyStream> { return std::move(stream); });
    return weak;
  }
  // Once its first Pull can come.
  static std::shared_ptr<PushedStream> Started(const std::weak_ptr<PushedStream>& stream) {
    const auto held = stream.lock();
    EXPECT_TRUE(held && Eventually([&] { return held->started(); }));
    return held;
  }
};

TEST_F(Streams, SendEachPieceWhenItIsThereAndKeepTheConnection) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream"));
  const auto head = client.ReadHead();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(head->headers.count("content-length"), 0u);
  const auto stream = Started(weak);
  for (const std::string piece : {"one", "two", "three"}) {
    stream->Push(piece);
    EXPECT_EQ(client.ReadChunk(), piece);
  }
  stream->End("end");
  EXPECT_EQ(client.ReadChunk(), "end");
  EXPECT_EQ(client.ReadChunk(), "");
  client.Send(Get("/next"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

TEST_F(Streams, AreLetGoWithTheirLastPiece) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream"));
  Started(weak)->End();
  EXPECT_EQ(client.ReadResponse()->body, "");
  EXPECT_TRUE(Eventually([&] { return weak.expired(); }));
}

TEST_F(Streams, ToHttp10EndWithTheConnection) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto head = client.ReadHead();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.count("transfer-encoding"), 0u);
  EXPECT_EQ(head->headers.at("connection"), "close");
  const auto stream = Started(weak);
  stream->Push("some, ");
  stream->End("all");
  EXPECT_EQ(client.ReadToEnd(), "some, all");
  EXPECT_FALSE(client.was_reset());
}

TEST_F(Streams, ToHeadAreNotStarted) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  const auto held = weak.lock();
  client.Send("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + Get("/next"));
  const auto head = client.ReadResponse(true);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->headers.at("transfer-encoding"), "chunked");
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
  EXPECT_FALSE(held->started());
}

TEST_F(Streams, ThatFailAreCutBeforeTheLastChunk) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream") + Get("/canary"));
  ASSERT_TRUE(client.ReadHead());
  const auto stream = Started(weak);
  stream->Push("some");
  EXPECT_EQ(client.ReadChunk(), "some");
  stream->Fail();
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(handler_->Recorded(), std::vector<std::string>{"GET /stream"});
}

TEST_F(Streams, ThatFailToHttp10AreReset) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send("GET /stream HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(client.ReadHead());
  Started(weak)->Fail();
  EXPECT_TRUE(client.ReadToEnd());
  EXPECT_TRUE(client.was_reset());
}

TEST_F(Streams, ThatThrowAreCutAndCostNobodyElse) {
  class Throwing final : public BodyStream {
    void Start(std::function<void()>) override {}
    State Pull(std::string* out, std::size_t) override {
      *out += "half";
      throw std::runtime_error("thrown by the test");
    }
  };
  RawClient client = Connect();
  RawClient other = Connect();
  Next<Throwing>();
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  EXPECT_EQ(client.ReadToEnd(), "");
  other.Send(Get("/other"));
  EXPECT_EQ(other.ReadResponse()->body, "GET /other");
}

TEST_F(Streams, WaitWithoutATimeout) {
  ServerLimits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout = limits.linger_timeout =
      milliseconds{50};
  Serve(limits);
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  const auto stream = Started(weak);
  for (int i = 0; i < 3; ++i) {
    RawClient idle = Connect();
    EXPECT_EQ(idle.ReadToEnd(), "");  // the timeout has passed on the same thread
  }
  stream->Push("late");
  EXPECT_EQ(client.ReadChunk(), "late");
}

TEST_F(Streams, EndWhenTheirClientGoes) {
  for (const bool reset : {false, true}) {
    RawClient client = Connect();
    const auto weak = Next<PushedStream>();
    client.Send(Get("/stream"));
    ASSERT_TRUE(client.ReadHead());
    Started(weak).reset();
    if (reset) {
      client.Reset();
    } else {
      client.FinishSending();
    }
    EXPECT_TRUE(Eventually([&] { return weak.expired() && Connections() == 0; })) << "reset: " << reset;
  }
}

TEST_F(Streams, WithAnEndGoOnToAClientThatHasFinishedSending) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>(false);
  client.Send(Get("/stream"));
  client.FinishSending();
  const auto stream = Started(weak);
  stream->Push("some, ");
  ASSERT_TRUE(client.ReadHead());
  EXPECT_EQ(client.ReadChunk(), "some, ");
  stream->End("all");
  EXPECT_EQ(client.ReadChunk(), "all");
  EXPECT_EQ(client.ReadChunk(), "");
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(Streams, KeepRequestsSentAheadForLater) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  const auto stream = Started(weak);
  std::string ahead;
  for (int i = 0; i < 1000; ++i) ahead += Get("/ahead?" + std::to_string(i));  // more than is read ahead
  client.Send(ahead);
  stream->Push("piece");
  EXPECT_EQ(client.ReadChunk(), "piece");
  EXPECT_EQ(handler_->Recorded().size(), 1u);
  stream->End();
  EXPECT_EQ(client.ReadChunk(), "");
  for (int i = 0; i < 1000; ++i) {
    const auto response = client.ReadResponse();
    ASSERT_TRUE(response);
    ASSERT_EQ(response->body, "GET /ahead?" + std::to_string(i));
  }
}

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

TEST_F(Streams, AreNotPulledFasterThanASlowClientReads) {
  constexpr std::size_t kRead = 64u << 20;
  // The kernel's buffers of both sides, and one pull.
  constexpr std::size_t kOnTheWay = 24u << 20;
  std::atomic<std::size_t> pulled{0};
  RawClient client = Connect(4096);
  Next<Fountain>(&pulled);
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  const std::size_t before = ResidentBytes();
  std::size_t read = 0;
  std::size_t most = 0;
  while (read < kRead) {
    const auto chunk = client.ReadChunk();
    ASSERT_TRUE(chunk);
    read += chunk->size();
    most = std::max(most, pulled.load() - std::min(pulled.load(), read));
  }
  EXPECT_LT(most, kOnTheWay);
  EXPECT_LT(ResidentBytes(), before + (8u << 20));
}

TEST_F(Streams, OfAClientThatDoesNotReadEndAtTheWriteTimeout) {
  ServerLimits limits;
  limits.write_timeout = milliseconds{150};
  Serve(limits);
  std::atomic<std::size_t> pulled{0};
  RawClient client = Connect(4096);
  const auto weak = Next<Fountain>(&pulled);
  client.Send(Get("/stream"));
  EXPECT_TRUE(Eventually([&] { return weak.expired() && Connections() == 0; }));
}

TEST_F(Streams, ToAnHttp10ClientThatDoesNotReadEndInAResetAndNotInOrder) {
  ServerLimits limits;
  limits.write_timeout = milliseconds{150};
  Serve(limits);
  std::atomic<std::size_t> pulled{0};
  RawClient client = Connect(4096);
  const auto weak = Next<Fountain>(&pulled);
  client.Send("GET /stream HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return pulled > 0 && weak.expired() && Connections() == 0; }));
  EXPECT_TRUE(client.ReadToEnd());
  EXPECT_TRUE(client.was_reset());
}

TEST_F(Streams, ThatNeverStopLeaveOthersTheirTurn) {
  std::atomic<std::size_t> pulled{0};
  RawClient greedy = Connect();
  Next<Fountain>(&pulled);
  greedy.Send(Get("/stream"));
  ASSERT_TRUE(greedy.ReadHead());
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop && greedy.ReadChunk()) {
    }
  });
  RawClient other = Connect();
  for (int i = 0; i < 100; ++i) {
    other.Send(Get("/other"));
    const auto response = other.ReadResponse();
    EXPECT_TRUE(response && response->body == "GET /other") << "answer " << i;
    if (!response) break;
  }
  stop = true;
  reader.join();
  EXPECT_GT(pulled, 0u);
}

TEST_F(Streams, LoseNothingThatManyThreadsPush) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>();
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  const auto stream = Started(weak);
  constexpr int kThreads = 4;
  constexpr int kPieces = 5000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int piece = 0; piece < kPieces; ++piece) stream->Push("x");
    });
  }
  std::size_t got = 0;
  while (got < std::size_t{kThreads} * kPieces) {
    const auto chunk = client.ReadChunk();
    if (!chunk) break;
    got += chunk->size();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(got, std::size_t{kThreads} * kPieces);
}

TEST_F(Streams, AThousandOfThemAreWokenAndServedTogether) {
  // Both ends of each are in this process.
  rlimit descriptors{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &descriptors), 0);
  descriptors.rlim_cur = descriptors.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  ASSERT_GE(descriptors.rlim_cur, 2200u) << "raise the hard limit on open files";

  constexpr std::size_t kStreams = 1000;
  std::mutex mutex;
  std::vector<std::shared_ptr<PushedStream>> streams;
  handler_->AnswerStreamsWith([&] {
    const std::lock_guard lock(mutex);
    streams.push_back(std::make_shared<PushedStream>());
    return streams.back();
  });
  Serve({}, 2);
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.push_back(Connect());
    clients.back().Send(Get("/stream"));
  }
  for (RawClient& client : clients) ASSERT_TRUE(client.ReadHead());
  for (const std::string event : {"first", "second", "third"}) {
    for (const auto& stream : streams) stream->Push(event);
    RawClient other = Connect();
    other.Send(Get("/other"));
    const auto response = other.ReadResponse();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "GET /other");
    for (RawClient& client : clients) ASSERT_EQ(client.ReadChunk(), event);
  }
  EXPECT_TRUE(Eventually([&] { return Connections() == kStreams; }));
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  // Their connections are gone.
  for (const auto& stream : streams) stream->Push("nobody hears it");
}

TEST_F(Streams, WithoutAnEndDoNotHoldUpAShutdown) {
  ServerLimits limits;
  limits.linger_timeout = milliseconds{100};
  Serve(limits);
  std::atomic<std::size_t> pulled{0};
  RawClient waiting = Connect();
  const auto weak = Next<PushedStream>();
  waiting.Send(Get("/stream"));
  ASSERT_TRUE(waiting.ReadHead());
  const auto stream = Started(weak);
  stream->Push("before");
  EXPECT_EQ(waiting.ReadChunk(), "before");
  RawClient stuck = Connect(4096);
  const auto fountain = Next<Fountain>(&pulled);
  stuck.Send(Get("/stream"));
  ASSERT_TRUE(Eventually([&] { return pulled > 0; }));

  std::thread shutdown([&] { server_->Shutdown(Deadline::Infinite()); });
  EXPECT_EQ(waiting.ReadToEnd(), "");  // no last chunk: nobody may take it for the whole
  shutdown.join();
  EXPECT_TRUE(fountain.expired());
  EXPECT_EQ(Connections(), 0);
  server_.reset();
  stream->Push("after the server has gone");
}

TEST_F(Streams, WithAnEndMayReachItDuringAShutdown) {
  RawClient idle = Connect();
  RawClient client = Connect();
  const auto weak = Next<PushedStream>(false);
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  const auto stream = Started(weak);
  ASSERT_TRUE(Eventually([&] { return Connections() == 2; }));
  std::thread shutdown([&] { server_->Shutdown(Deadline::After(std::chrono::seconds(30))); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  stream->Push("still ");
  EXPECT_EQ(client.ReadChunk(), "still ");
  stream->End("here");
  EXPECT_EQ(client.ReadChunk(), "here");
  EXPECT_EQ(client.ReadChunk(), "");
  EXPECT_EQ(client.ReadToEnd(), "");
  shutdown.join();
}

TEST_F(Streams, AreLetGoAtTheDeadlineOfAShutdown) {
  RawClient client = Connect();
  const auto weak = Next<PushedStream>(false);
  client.Send(Get("/stream"));
  ASSERT_TRUE(client.ReadHead());
  Started(weak).reset();
  server_->Shutdown(Deadline::After(milliseconds(50)));
  EXPECT_TRUE(weak.expired());
  EXPECT_TRUE(client.ReadToEnd());
}

}  // namespace
}  // namespace holdfast::api::testing
