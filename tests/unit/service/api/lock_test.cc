#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/api/event_reader.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;

constexpr const char* kLock = "/v1/stores/main/locks/a";
constexpr const char* kElection = "/v1/stores/main/elections/e";

std::string WithLease(const std::string& path, const std::string& lease) {
  std::string target = path;
  target.append("?lease=").append(lease);
  return target;
}

TEST(LockApiTest, AcquireLookExtendRelease) {
  ApiHarness api;
  EXPECT_EQ(api.Send("GET", kLock).status, 404);
  const Answer grant = api.Send("POST", kLock, {}, R"({"owner":"me","ttl":"30s"})");
  ASSERT_EQ(grant.status, 201);
  const std::string lease = grant.Json().at("lease");
  EXPECT_EQ(lease.size(), 32u);
  EXPECT_GT(grant.Json().at("token").get<std::uint64_t>(), 0u);
  EXPECT_EQ(grant.Json().at("expires_at"), "2023-11-14T22:13:50Z");

  const Answer holder = api.Send("GET", kLock);
  ASSERT_EQ(holder.status, 200);
  EXPECT_EQ(holder.Json().at("holder"), "me");
  EXPECT_EQ(holder.Json().at("owner"), "me");
  EXPECT_EQ(holder.Json().at("token"), grant.Json().at("token"));
  EXPECT_EQ(holder.body.find(lease), std::string::npos) << "the lease is a secret";

  api.clock().Advance(seconds{10});
  nlohmann::json body{{"lease", lease}, {"ttl", "60s"}};
  const Answer extended = api.Send("PUT", kLock, {}, body.dump());
  ASSERT_EQ(extended.status, 200);
  EXPECT_EQ(extended.Json().at("expires_at"), "2023-11-14T22:14:30Z");
  EXPECT_EQ(extended.Json().at("token"), grant.Json().at("token"));
  EXPECT_EQ(api.Send("DELETE", WithLease(kLock, lease)).status, 204);
  EXPECT_EQ(api.Send("DELETE", WithLease(kLock, lease)).status, 409);
  const Answer lost = api.Send("PUT", kLock, {}, body.dump());
  EXPECT_EQ(lost.status, 409);
  EXPECT_EQ(lost.Code(), "failed_precondition");
}

TEST(LockApiTest, AHeldLockNamesItsHolderAndWhenToComeBack) {
  ApiHarness api;
  ASSERT_EQ(api.Send("POST", kLock, {}, R"({"owner":"first","ttl":"42s"})").status, 201);
  const Answer held = api.Send("POST", kLock, {}, R"({"owner":"second"})");
  EXPECT_EQ(held.status, 409);
  EXPECT_EQ(held.Code(), "held");
  EXPECT_EQ(held.Json().at("holder"), "first");
  EXPECT_EQ(held.Json().at("retryable"), true);
  EXPECT_EQ(held.Header("Retry-After"), "42");
  EXPECT_EQ(api.Send("POST", kLock, {}, R"({"owner":"first"})").Code(), "held") << "not reentrant";
}

TEST(LockApiTest, WaitsUntilItIsReleased) {
  ApiHarness api;
  const std::string lease = api.Send("POST", kLock, {}, R"({"owner":"first"})").Json().at("lease");
  const auto second = api.Begin("POST", kLock, {}, R"({"owner":"second","wait":"5m"})");
  const auto third = api.Begin("POST", kLock, {}, R"({"owner":"third","wait":"5m"})");
  EXPECT_EQ(api.Send("DELETE", WithLease(kLock, lease)).status, 204);
  const Answer granted = second->Get();
  EXPECT_EQ(granted.status, 201);
  EXPECT_FALSE(third->IsAnswered());
  EXPECT_EQ(api.Send("DELETE", WithLease(kLock, granted.Json().at("lease"))).status, 204);
  EXPECT_EQ(third->Get().status, 201);
}

TEST(LockApiTest, AWaitThatIsOverIsHeld) {
  ApiHarness api;
  ASSERT_EQ(api.Send("POST", kLock, {}, R"({"owner":"first"})").status, 201);
  EXPECT_EQ(api.Send("POST", kLock, {}, R"({"owner":"second","wait":"20ms"})").Code(), "held");
  EXPECT_EQ(api.Send("POST", kLock, {{"Holdfast-Timeout", "20ms"}}, R"({"owner":"second","wait":"1m"})").Code(),
            "held");
}

TEST(LockApiTest, TooManyWaitersAreTurnedAway) {
  ApiHarness::Options options;
  options.coordination.locks.max_waiters_per_lock = 1;
  ApiHarness api(options);
  const std::string lease = api.Send("POST", kLock, {}, R"({"owner":"first"})").Json().at("lease");
  const auto second = api.Begin("POST", kLock, {}, R"({"owner":"second","wait":"5m"})");
  const Answer refused = api.Send("POST", kLock, {}, R"({"owner":"third","wait":"5m"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.Header("Retry-After"), "");
  api.Send("DELETE", WithLease(kLock, lease));
  EXPECT_EQ(second->Get().status, 201);
}

TEST(LockApiTest, RefusesWhatIsNotValid) {
  ApiHarness api;
  for (const char* body :
       {"", "[]", "{}", R"({"owner":""})", R"({"owner":7})", R"({"owner":"me","ttl":"0s"})",
        R"({"owner":"me","ttl":"-1s"})", R"({"owner":"me","ttl":30})", R"({"owner":"me","ttl":"200y"})",
        R"({"owner":"me","wait":"6m"})", R"({"owner":"me","wait":"x"})", R"({"owner":"me","lease":"x"})",
        R"({"owner":"me","owner":"you"})"}) {
    const Answer answer = api.Send("POST", kLock, {}, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.Code(), "invalid_argument") << body;
  }
  const std::string long_owner = R"({"owner":")" + std::string(257, 'x') + R"("})";
  EXPECT_NE(api.Send("POST", kLock, {}, long_owner).Detail().find("locks.owner"), std::string::npos);
  EXPECT_EQ(api.Send("POST", "/v1/stores/main/locks/", {}, R"({"owner":"me"})").status, 400);
  EXPECT_EQ(api.Send("POST", "/v1/stores/main/locks/" + std::string(513, 'x'), {}, R"({"owner":"me"})").status, 400);
  EXPECT_EQ(api.Send("PUT", kLock, {}, R"({"ttl":"1s"})").status, 400);
  EXPECT_EQ(api.Send("DELETE", kLock).status, 400);
  EXPECT_EQ(api.Send("GET", kLock).status, 404) << "nothing was changed";
}

TEST(LockApiTest, NamesAreAnyBytesAndWithinTheNamespace) {
  ApiHarness api;
  const std::string name = "/v1/stores/main/locks/a/%00/..%ff";
  EXPECT_EQ(api.Send("POST", name, {}, R"({"owner":"me"})").status, 201);
  EXPECT_EQ(api.Send("GET", name).status, 200);
  EXPECT_EQ(api.Send("GET", name, {{"Holdfast-Namespace", "other"}}).status, 404);
  const std::string longest = "/v1/stores/main/elections/" + std::string(512, 'x');
  EXPECT_EQ(api.Send("POST", longest, {}, R"({"owner":"me"})").status, 201);
}

TEST(ElectionApiTest, CampaignKeepResign) {
  ApiHarness api;
  const Answer leader = api.Send("POST", kElection, {}, R"({"owner":"first","ttl":"10s"})");
  ASSERT_EQ(leader.status, 201);
  EXPECT_EQ(api.Send("POST", kElection, {}, R"({"owner":"second"})").Json().at("holder"), "first");
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/locks/elections/e").Json().at("holder"), "first")
      << "an election is the lock elections/<name>, so that its token fences writes";
  const std::string lease = leader.Json().at("lease");
  EXPECT_EQ(api.Send("PUT", kElection, {}, nlohmann::json{{"lease", lease}}.dump()).status, 200);
  EXPECT_EQ(api.Send("DELETE", WithLease(kElection, lease)).status, 204);
  EXPECT_EQ(api.Send("POST", kElection, {}, R"({"owner":"second"})").status, 201);
}

TEST(ElectionApiTest, ObserversSeeTheLeaderAndEveryChange) {
  ApiHarness api;
  const Answer observed = api.Send("GET", kElection);
  ASSERT_EQ(observed.status, 200);
  EXPECT_EQ(observed.content_type, "text/event-stream");
  EventReader observer(observed.stream);
  EXPECT_EQ(observer.Next().event, "vacant");
  const std::string lease = api.Send("POST", kElection, {}, R"({"owner":"first"})").Json().at("lease");
  const ServerEvent first = observer.Next();
  EXPECT_EQ(first.event, "leader");
  EXPECT_EQ(first.Json().at("holder"), "first");
  EXPECT_EQ(first.data.find(lease), std::string::npos);
  const auto second = api.Begin("POST", kElection, {}, R"({"owner":"second","wait":"5m"})");
  api.Send("DELETE", WithLease(kElection, lease));
  ServerEvent next = observer.Next();
  if (next.event == "vacant") next = observer.Next();  // a slow observer sees only the newest
  EXPECT_EQ(next.Json().at("holder"), "second");
  EXPECT_EQ(second->Get().status, 201);
  EventReader late(api.Send("GET", kElection).stream);
  EXPECT_EQ(late.Next().Json().at("holder"), "second");
}

}  // namespace
}  // namespace holdfast::api
