// Holdfast-Fence: writes that a lock guards.
#include "service/api/fence.h"

#include <gtest/gtest.h>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

using std::chrono::seconds;

const std::string kKey = "/v1/stores/main/keys/guarded";
const std::string kLock = "/v1/stores/main/locks/a%2Fb";

class FenceTest : public testing::Test {
 protected:
  // Held for ten seconds.
  std::string Acquire() {
    const Answer grant = api_.Send("POST", kLock, {}, R"({"owner":"o","ttl":"10s"})");
    EXPECT_EQ(201, grant.status) << grant.body;
    return std::to_string(grant.Json().at("token").get<std::uint64_t>());
  }
  static HeaderList With(const std::string& token) {
    std::string fence = "a%2Fb=";
    fence.append(token);
    return {{"Holdfast-Fence", fence}};
  }

  ApiHarness api_;
};

TEST_F(FenceTest, AnOldHolderIsRefusedAndTheNewOneIsNot) {
  const std::string old_token = Acquire();
  EXPECT_EQ(201, api_.Send("PUT", kKey, With(old_token), "1").status);
  api_.clock().Advance(seconds{11});
  EXPECT_EQ(204, api_.Send("PUT", kKey, With(old_token), "2").status) << "nobody has taken the lock since";
  const std::string new_token = Acquire();
  for (const char* method : {"PUT", "DELETE"}) {
    const Answer answer = api_.Send(method, kKey, With(old_token), "3");
    EXPECT_EQ(412, answer.status) << method;
    EXPECT_EQ("fenced", answer.Code()) << method;
  }
  for (const char* action : {"take", "touch", "increment"}) {
    HeaderList headers = With(old_token);
    if (std::string(action) == "touch") headers.emplace_back("Holdfast-TTL", "1h");
    EXPECT_EQ("fenced", api_.Send("POST", std::string(kKey).append("?action=").append(action), headers).Code())
        << action;
  }
  EXPECT_EQ("2", api_.Send("GET", kKey).body);
  EXPECT_EQ(204, api_.Send("PUT", kKey, With(new_token), "4").status);
  EXPECT_EQ("4", api_.Send("GET", kKey).body);
}

TEST_F(FenceTest, PreconditionsHoldBesideIt) {
  const std::string token = Acquire();
  HeaderList headers = With(token);
  headers.emplace_back("If-None-Match", "*");
  const Answer created = api_.Send("PUT", kKey, headers, "1");
  EXPECT_EQ(201, created.status);
  const Answer again = api_.Send("PUT", kKey, headers, "2");
  EXPECT_EQ("already_exists", again.Code());
  EXPECT_EQ(created.Header("ETag"), again.Header("ETag"));
}

TEST_F(FenceTest, ATransactionIsRefusedAsAWhole) {
  const std::string old_token = Acquire();
  const std::string body = R"({"if":[{"key":"guarded","exists":true}],"then":[{"op":"get","key":"guarded"}],)"
                           R"("else":[{"op":"put","key":"guarded","value":"1"}]})";
  const Answer first = api_.Send("POST", "/v1/stores/main/transaction", With(old_token), body);
  EXPECT_EQ("else", first.Json().value("branch", "")) << first.body;
  EXPECT_EQ(1u, first.Json().at("results").size());
  const Answer second = api_.Send("POST", "/v1/stores/main/transaction", With(old_token), body);
  EXPECT_EQ("1", second.Json().at("results")[0].value("value", "")) << second.body;
  api_.clock().Advance(seconds{11});
  Acquire();
  EXPECT_EQ("fenced", api_.Send("POST", "/v1/stores/main/transaction", With(old_token), body).Code());
}

TEST_F(FenceTest, BadOnesAreRefusedAndChangeNothing) {
  for (const char* fence : {"", "lock", "=1", "lock=", "lock=x", "lock=-1", "lock=18446744073709551616", "%zz=1"}) {
    EXPECT_EQ("invalid_argument", api_.Send("PUT", kKey, {{"Holdfast-Fence", fence}}, "1").Code()) << fence;
  }
  const HeaderList fence = {{"Holdfast-Fence", "lock=1"}};
  EXPECT_EQ(400, api_.Send("GET", kKey, fence).status);
  EXPECT_EQ(400, api_.Send("DELETE", "/v1/stores/main/keys?prefix=g", fence).status);
  EXPECT_EQ(404, api_.Send("GET", kKey).status);
}

TEST_F(FenceTest, ALockNobodyEverTookHoldsNobodyBack) {
  EXPECT_EQ(201, api_.Send("PUT", kKey, {{"Holdfast-Fence", "never=1"}}, "1").status);
}

}  // namespace
}  // namespace holdfast::api
