// FAULTS.md S23: a client that is slow on purpose costs a connection for a bounded time, and nobody else anything.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/integration/http_framing/server_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::api::testing {
namespace {

using std::chrono::milliseconds;

// Everything long but what the test is about.
ServerLimits Patient() {
  ServerLimits limits;
  limits.header_timeout = limits.body_timeout = limits.idle_timeout = limits.write_timeout = limits.linger_timeout =
      milliseconds{60'000};
  return limits;
}

class TimeoutsOfClients : public ServerTest {
 protected:
  // Sends a byte at a time, without end, until the server has answered.
  static std::optional<RawResponse> Trickle(RawClient& client) {
    EXPECT_TRUE(Eventually([&] {
      client.Send("a");
      return client.Readable(milliseconds(5));
    }));
    return client.ReadResponse();
  }
};

TEST_F(TimeoutsOfClients, SlowHeadersAreAnswered408HoweverTheyTrickle) {
  ServerLimits limits = Patient();
  limits.header_timeout = milliseconds{150};
  Serve(limits);
  RawClient client = Connect();
  client.Send("GET / HTTP/1.1\r\nHost: ");
  const auto response = Trickle(client);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 408);
  EXPECT_EQ(Refused("timeout"), 1);
}

TEST_F(TimeoutsOfClients, SlowBodiesAreAnswered408HoweverTheyTrickle) {
  ServerLimits limits = Patient();
  limits.body_timeout = milliseconds{150};
  Serve(limits);
  for (const std::string& body :
       {std::string("Content-Length: 50000\r\n\r\n"), std::string("Transfer-Encoding: chunked\r\n\r\nc350\r\n")}) {
    RawClient client = Connect();
    client.Send("PUT / HTTP/1.1\r\nHost: x\r\n" + body);
    const auto response = Trickle(client);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 408);
  }
  EXPECT_TRUE(handler_->Recorded().empty());
}

TEST_F(TimeoutsOfClients, IdleConnectionsAreClosedWithoutAWord) {
  ServerLimits limits = Patient();
  limits.idle_timeout = milliseconds{1'000};
  Serve(limits);
  RawClient silent = Connect();
  RawClient used = Connect();
  used.Send(Get("/a"));
  EXPECT_TRUE(used.ReadResponse());
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_EQ(used.ReadToEnd(), "");
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  EXPECT_EQ(Refused("timeout"), 0);
}

TEST_F(TimeoutsOfClients, ARequestInTheHandlerIsNotIdle) {
  ServerLimits limits = Patient();
  limits.idle_timeout = limits.header_timeout = limits.body_timeout = milliseconds{500};
  Serve(limits);
  RawClient held = Connect();
  held.Send(Get("/hold"));
  ASSERT_TRUE(Eventually([&] { return handler_->Held() == 1; }));
  RawClient idle = Connect();
  EXPECT_EQ(idle.ReadToEnd(), "");  // the timeout has passed on the same thread, behind the held request
  handler_->Release();
  EXPECT_EQ(held.ReadResponse()->body, "released");
}

TEST_F(TimeoutsOfClients, AClientThatDoesNotReadItsAnswerIsClosed) {
  ServerLimits limits = Patient();
  limits.write_timeout = milliseconds{150};
  Serve(limits);
  RawClient client = Connect(4096);
  ASSERT_TRUE(Eventually([&] { return Connections() == 1; }));
  client.Send(Get("/entry?50000000"));
  EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
}

TEST_F(TimeoutsOfClients, AClientThatReadsSlowlyIsServedToTheEnd) {
  ServerLimits limits = Patient();
  limits.write_timeout = milliseconds{1'000};
  Serve(limits);
  RawClient client = Connect(4096);
  client.Send(Get("/entry?30000000", "Connection: close\r\n"));  // more than the kernel's buffers take
  ASSERT_TRUE(client.ReadHead());
  const auto began = std::chrono::steady_clock::now();
  for (int part = 0; part < 10; ++part) {
    std::this_thread::sleep_for(milliseconds(150));
    ASSERT_TRUE(client.ReadBytes(3'000'000)) << part;
  }
  EXPECT_GT(std::chrono::steady_clock::now() - began, limits.write_timeout);
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST_F(TimeoutsOfClients, ARefusedClientThatDoesNotCloseIsNotWaitedForLong) {
  ServerLimits limits = Patient();
  limits.linger_timeout = milliseconds{100};
  Serve(limits);
  RawClient client = Connect();
  client.Send("nonsense\n");
  EXPECT_EQ(client.ReadResponse()->status, 400);
  EXPECT_TRUE(Eventually([&] {
    client.Send("more");
    return Connections() == 0;
  }));
}

TEST_F(TimeoutsOfClients, HundredsOfSlowClientsDoNotKeepAQuickOneWaiting) {
  ServerLimits limits = Patient();
  Serve(limits);
  std::vector<RawClient> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(Connect());
    slow.back().Send("GET / HTTP/1.1\r\nHos");
  }
  RawClient quick = Connect();
  for (int i = 0; i < 20; ++i) {
    quick.Send(Get("/quick"));
    EXPECT_EQ(quick.ReadResponse()->body, "GET /quick");
  }
  EXPECT_EQ(Connections(), 301);
}

}  // namespace
}  // namespace holdfast::api::testing
