// From the listening port to the last connection: starting twice, being full, running out of descriptors, shutting
// down.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

using std::chrono::milliseconds;

class Lifecycle : public ServerTest {
 protected:
  Result<std::unique_ptr<HttpServer>> StartAnother(const std::string& address, std::uint16_t port) {
    ServerOptions options;
    options.address = address;
    options.port = port;
    options.threads = 2;
    return HttpServer::Start(options, handler_, registry_);
  }
};

TEST_F(Lifecycle, ATakenPortIsRefusedAlsoWhenItsOwnerSharesIt) {
  Serve({}, 2);
  const auto second = StartAnother("127.0.0.1", server_->port());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("127.0.0.1 port " + std::to_string(server_->port())), std::string::npos)
      << second.error().message();
  RawClient client = Connect();
  client.Send(Get("/a"));
  EXPECT_TRUE(client.ReadResponse());
}

TEST_F(Lifecycle, APortIsFreeAgainAtOnceAfterShutdown) {
  Serve({}, 2);
  const std::uint16_t port = server_->port();
  RawClient client = Connect();
  client.Send(Get("/a"));
  EXPECT_TRUE(client.ReadResponse());
  server_->Shutdown(Deadline::After(std::chrono::seconds(10)));
  EXPECT_TRUE(StartAnother("127.0.0.1", port).ok());
}

TEST_F(Lifecycle, AnAddressThatIsNoneIsRefused) {
  const auto server = StartAnother("localhost", 0);
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(Lifecycle, ConnectionsBeyondTheLimitGet503UntilOneEnds) {
  ServerLimits limits;
  limits.max_connections = 2;
  Serve(limits, 2);
  RawClient first = Connect();
  {
    RawClient second = Connect();
    ASSERT_TRUE(Eventually([&] { return Connections() == 2; }));
    RawClient third = Connect();
    const auto refused = third.ReadResponse();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_EQ(refused->headers.at("connection"), "close");
    EXPECT_EQ(third.ReadToEnd(), "");
    EXPECT_EQ(Refused("too_many_connections"), 1);
  }
  ASSERT_TRUE(Eventually([&] { return Connections() == 1; }));
  RawClient fourth = Connect();
  fourth.Send(Get("/fourth"));
  EXPECT_EQ(fourth.ReadResponse()->body, "GET /fourth");
  first.Send(Get("/first"));
  EXPECT_EQ(first.ReadResponse()->body, "GET /first");
}

TEST_F(Lifecycle, ConnectionsOfOneAddressAreLimitedWithoutTheOthers) {
  ServerLimits limits;
  limits.max_connections_per_address = 2;
  Serve(limits, 2);
  RawClient first = Connect();
  {
    RawClient second = Connect();
    ASSERT_TRUE(Eventually([&] { return Connections() == 2; }));
    RawClient third = Connect();
    const auto refused = third.ReadResponse();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_EQ(third.ReadToEnd(), "");
    EXPECT_EQ(Refused("too_many_connections_of_address"), 1);
    RawClient other(server_->port(), 0, "127.0.0.2");
    other.Send(Get("/peer"));
    EXPECT_EQ(other.ReadResponse()->body, "127.0.0.2");
  }
  ASSERT_TRUE(Eventually([&] { return Connections() == 1; }));
  RawClient fourth = Connect();
  fourth.Send(Get("/fourth"));
  EXPECT_EQ(fourth.ReadResponse()->body, "GET /fourth");
}

TEST_F(Lifecycle, RequestsBeyondTheLimitGet503BeforeTheirBodyIsRead) {
  ServerLimits limits;
  limits.max_requests = 2;
  Serve(limits, 2);
  std::vector<RawClient> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(Connect());
    held.back().Send(Get("/hold"));
  }
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 2; }));
  RawClient reader = Connect();
  // The second request may be counted a moment after its handler has it.
  ASSERT_TRUE(Eventually([&] {
    reader.Send(Get("/canary"));
    return reader.ReadResponse()->status == 503;
  }));
  RawClient writer = Connect();
  writer.Send("PUT /canary HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  const auto refused = writer.ReadResponse();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(writer.ReadToEnd(), "");

  const std::size_t recorded = handler_->Recorded().size();
  handler_->Release();
  for (RawClient& client : held) EXPECT_EQ(client.ReadResponse()->body, "released");
  EXPECT_EQ(handler_->Recorded().size(), recorded);
  reader.Send(Get("/next"));
  EXPECT_EQ(reader.ReadResponse()->body, "GET /next");
}

TEST_F(Lifecycle, ConnectionsLeaveDescriptorsForOthers) {
  constexpr std::size_t kReserved = 30;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(STDIN_FILENO);
  ASSERT_GE(lowest_free, 0);
  ::close(lowest_free);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(lowest_free) + 100;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  ServerLimits limits;
  limits.reserved_descriptors = kReserved;
  Serve(limits);
  std::vector<RawClient> clients;
  std::optional<RawResponse> refused;
  for (int i = 0; i < 100 && !refused; ++i) {
    clients.push_back(Connect());
    clients.back().Send(Get("/a"));
    const auto response = clients.back().ReadResponse();
    if (response && response->status != 200) refused = response;
  }
  // What the rest of the process can still open.
  std::vector<int> opened;
  for (int file = 0; (file = ::dup(STDIN_FILENO)) >= 0;) opened.push_back(file);
  for (const int file : opened) ::close(file);
  clients.front().Send(Get("/b"));
  const auto still_served = clients.front().ReadResponse();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_GE(opened.size(), kReserved - 2);
  EXPECT_GE(Refused("few_descriptors"), 1);
  ASSERT_TRUE(still_served);
  EXPECT_EQ(still_served->body, "GET /b");
}

TEST_F(Lifecycle, WithoutDescriptorsItWaitsWithoutSpinningAndThenAccepts) {
  Serve();
  RawClient served = Connect();
  served.Send(Get("/a"));
  ASSERT_TRUE(served.ReadResponse());

  // The client's own socket takes the last descriptor there is.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(STDIN_FILENO);
  ASSERT_GE(lowest_free, 0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  RawClient waiting = Connect();
  waiting.Send(Get("/waiting"));
  const std::clock_t used_before = std::clock();
  const bool answered = waiting.Readable(milliseconds(400));
  const double used = static_cast<double>(std::clock() - used_before) / CLOCKS_PER_SEC;
  served.Send(Get("/b"));
  const auto still_served = served.ReadResponse();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_FALSE(answered);
  EXPECT_LT(used, 0.1) << "processor seconds in 0.4 s of waiting: it spins";
  ASSERT_TRUE(still_served);
  EXPECT_EQ(waiting.ReadResponse()->body, "GET /waiting");
}

TEST_F(Lifecycle, ShutdownLetsRequestsFinishAndClosesTheIdle) {
  Serve({}, 2);
  RawClient idle = Connect();
  RawClient busy = Connect();
  busy.Send(Get("/hold") + Get("/canary"));
  RawClient half = Connect();
  half.Send("PUT /half HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(half.ReadResponse()->status, 100);
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));

  std::thread shutdown([&] { server_->Shutdown(Deadline::After(std::chrono::seconds(30))); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  half.Send("ok");
  const auto second = half.ReadResponse();
  handler_->Release();
  const auto first = busy.ReadResponse();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "PUT /half ok");
  EXPECT_EQ(second->headers.at("connection"), "close");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->body, "released");
  EXPECT_EQ(first->headers.at("connection"), "close");
  EXPECT_EQ(half.ReadToEnd(), "");
  EXPECT_EQ(busy.ReadToEnd(), "");
  shutdown.join();
  EXPECT_EQ(Connections(), 0);
  RawClient late(server_->port());
  EXPECT_EQ(late.ReadToEnd(), "");
}

TEST_F(Lifecycle, ShutdownSendsABusyClientAwayWithAnAnswer) {
  Serve({}, 2);
  std::atomic<int> answers{0};
  bool sent_away = false;
  std::thread client([&] {
    RawClient kept = Connect();
    while (true) {
      kept.Send(Get("/again"));
      const auto answer = kept.ReadResponse();
      if (!answer) return;  // closed under the request
      ++answers;
      if (!answer->headers.contains("connection")) continue;
      sent_away = answer->headers.at("connection") == "close" && kept.ReadToEnd() == "";
      return;
    }
  });
  EXPECT_TRUE(Eventually([&] { return answers > 10; }));
  server_->Shutdown(Deadline::After(std::chrono::seconds(30)));
  client.join();
  EXPECT_TRUE(sent_away);
}

TEST_F(Lifecycle, ShutdownDoesNotWaitBeyondItsDeadline) {
  Serve();
  RawClient client = Connect();
  client.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  server_->Shutdown(Deadline::After(milliseconds(50)));
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(Connections(), 0);
  server_->Shutdown(Deadline::Infinite());
}

TEST_F(Lifecycle, AResponseSentAfterTheServerHasGoneIsDropped) {
  Serve();
  RawClient client = Connect();
  client.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  server_.reset();
  handler_->Release();
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(Lifecycle, ClientsThatVanishLeaveNothingBehind) {
  Serve({}, 2);
  for (int i = 0; i < 50; ++i) {
    RawClient gone = Connect();
    gone.Send(i % 2 ? Get("/later") : Get("/hold") + Get("/entry?100000"));
    if (i % 3 == 0) gone.Reset();
  }
  // A request that was reset before it was read may never have been handled; none may keep its connection.
  EXPECT_TRUE(Eventually([&] {
    handler_->Release();
    return Connections() == 0;
  }));
  RawClient client = Connect();
  client.Send(Get("/next"));
  EXPECT_EQ(client.ReadResponse()->body, "GET /next");
}

}  // namespace
}  // namespace holdfast::api::testing
