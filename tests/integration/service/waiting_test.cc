// Clients that leave while they wait: their place, and what they were granted, is free for others at once.
#include <fmt/format.h>

#include <optional>

#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

const std::string kLock = "/v1/stores/main/locks/a";

class WaitingTest : public ServiceTest {
 protected:
  // A request for the lock whose lease outlives the test.
  static std::string Acquire(const std::string& owner, const std::string& path = kLock) {
    const std::string body = fmt::format(R"({{"owner":"{}","ttl":"1h","wait":"4m"}})", owner);
    return fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path, body.size(), body);
  }
  static bool Shows(Service& service, const std::string& sample) {
    return Eventually([&] { return service.Admin("/metrics").body.find(sample) != std::string::npos; });
  }
  static std::string MustAcquire(Service& service) {
    return service.Json("POST", kLock, R"({"owner":"me","ttl":"1h","wait":"30s"})").at("lease");
  }
  static void MustRelease(Service& service, const std::string& lease) {
    EXPECT_EQ(service.Send("DELETE", kLock + "?lease=" + lease).status, 204);
  }
};
HOLDFAST_ON_BOTH_BACKENDS(WaitingTest);

TEST_P(WaitingTest, AClientThatLeavesTheQueueIsPassedOver) {
  Service service = Start();
  const std::string first = MustAcquire(service);
  std::optional<RawSocket> second(service.port());
  second->Send(Acquire("second"));
  ASSERT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 1"));
  const RawSocket third(service.port());
  third.Send(Acquire("third"));
  ASSERT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 2"));
  second.reset();
  EXPECT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 1"));
  MustRelease(service, first);
  EXPECT_THAT(third.ReadUntil("\"token\""), testing::StartsWith("HTTP/1.1 201 "));
  EXPECT_EQ(service.Json("GET", kLock).at("holder"), "third");
}

TEST_P(WaitingTest, SoIsOneThatStandsForElection) {
  Service service = Start();
  const std::string path = "/v1/stores/main/elections/e";
  service.Json("POST", path, R"({"owner":"leader","ttl":"1h"})");
  {
    const RawSocket candidate(service.port());
    candidate.Send(Acquire("candidate", path));
    ASSERT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 1"));
  }
  EXPECT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 0"));
}

// The lock changes hands while its next holder goes: it hears of the grant, or the lock is free.
TEST_P(WaitingTest, ALockGrantedInTheMomentTheClientLeavesIsFree) {
  Service service = Start();
  for (int round = 0; round < 30; ++round) {
    const std::string lease = MustAcquire(service);
    const RawSocket leaving(service.port());
    leaving.Send(Acquire("leaving"));
    ASSERT_TRUE(Shows(service, "holdfast_locks_waiting{store=\"main\"} 1"));
    const RawSocket releasing(service.port());
    releasing.Send(fmt::format("DELETE {}?lease={} HTTP/1.1\r\nHost: x\r\n\r\n", kLock, lease));
    for (int i = 0; i < round * 20; ++i) std::this_thread::yield();
    leaving.FinishSending();
    EXPECT_THAT(releasing.ReadUntil("\r\n\r\n"), testing::StartsWith("HTTP/1.1 204 "));
    const std::string answer = leaving.ReadUntil("no such text");
    if (const auto body = answer.find("\r\n\r\n"); body != std::string::npos) {
      MustRelease(service, nlohmann::json::parse(answer.substr(body)).at("lease"));
    }
    MustRelease(service, MustAcquire(service));
  }
}

TEST_P(WaitingTest, AClientThatLeavesALongPollGivesItsPlaceBack) {
  Service service = Start();
  {
    const RawSocket poll(service.port());
    poll.Send("GET /v1/stores/main/watch?wait=4m HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(Shows(service, "holdfast_watch_subscribers{store=\"main\"} 1"));
  }
  EXPECT_TRUE(Shows(service, "holdfast_watch_subscribers{store=\"main\"} 0"));
}

}  // namespace
}  // namespace holdfast
