// Quotas of namespaces as clients meet them.
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

using nlohmann::json;

const HeaderList kTeamA = {{"Holdfast-Namespace", "team-a"}};
constexpr const char* kNamespace = "/v1/namespaces/team-a";
constexpr const char* kKeys = "/v1/stores/main/keys";

class QuotaTest : public testing::Test {
 protected:
  int Put(const std::string& key, const std::string& value) {
    return api_.Send("PUT", std::string(kKeys) + "/" + key, kTeamA, value).status;
  }
  Answer PutQuota(const std::string& body) { return api_.Send("PUT", kNamespace, {}, body); }
  json Usage() { return api_.Send("GET", kNamespace).Json().at("usage"); }

  ApiHarness api_;
};

TEST_F(QuotaTest, QuotaAndUsageComeBack) {
  EXPECT_EQ(api_.Send("GET", kNamespace).Json(),
            (json{{"namespace", "team-a"}, {"quota", json::object()}, {"usage", {{"bytes", 0}, {"keys", 0}}}}));
  Answer answer = PutQuota(R"({"quota":{"bytes":100,"keys":2}})");
  EXPECT_EQ(answer.status, 201);
  ASSERT_EQ(Put("k", "12345"), 201);
  answer = api_.Send("GET", kNamespace);
  EXPECT_EQ(answer.Json(), (json{{"namespace", "team-a"},
                                 {"quota", {{"bytes", 100}, {"keys", 2}}},
                                 {"usage", {{"bytes", 6}, {"keys", 1}}}}));
  // What it says may be sent back; the fields alone are enough.
  EXPECT_EQ(PutQuota(answer.body).status, 200);
  EXPECT_EQ(PutQuota(R"({"requests_per_second":5})").Json().at("quota"), (json{{"requests_per_second", 5}}));
  EXPECT_EQ(api_.Send("DELETE", kNamespace).status, 204);
  EXPECT_EQ(api_.Send("DELETE", kNamespace).status, 204);
  EXPECT_EQ(api_.Send("GET", kNamespace).Json().at("quota"), json::object());
  // Its data stays.
  EXPECT_EQ(Usage(), (json{{"bytes", 6}, {"keys", 1}}));
}

TEST_F(QuotaTest, KeysAndBytesAre507) {
  ASSERT_EQ(PutQuota(R"({"quota":{"bytes":20,"keys":2}})").status, 201);
  EXPECT_EQ(Put("a", "1"), 201);
  EXPECT_EQ(Put("b", "1"), 201);
  const Answer full = api_.Send("PUT", std::string(kKeys) + "/c", kTeamA, "1");
  EXPECT_EQ(full.status, 507);
  EXPECT_EQ(full.Code(), "quota_exceeded");
  EXPECT_FALSE(full.Header("Retry-After").empty());
  EXPECT_EQ(Put("a", std::string(17, 'x')), 204);
  EXPECT_EQ(Put("a", std::string(18, 'x')), 507);
  EXPECT_EQ(api_.Send("GET", std::string(kKeys) + "/a", kTeamA).body, std::string(17, 'x'));
  EXPECT_EQ(api_.Send("DELETE", std::string(kKeys) + "/a", kTeamA).status, 204);
  EXPECT_EQ(Put("c", "1"), 201);
  // Nobody else is held to it.
  EXPECT_EQ(api_.Send("PUT", std::string(kKeys) + "/x", {}, std::string(100, 'x')).status, 201);
}

TEST_F(QuotaTest, BatchesByOperationAndTransactionsWhole) {
  ASSERT_EQ(PutQuota(R"({"quota":{"keys":1}})").status, 201);
  const Answer batch = api_.Send(
      "POST", "/v1/stores/main/batch", kTeamA,
      R"({"operations":[{"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"1"},{"op":"get","key":"a"}]})");
  ASSERT_EQ(batch.status, 200);
  const json results = batch.Json().at("results");
  EXPECT_EQ(results[0].at("status"), 201);
  EXPECT_EQ(results[1].at("status"), 507);
  EXPECT_EQ(results[1].at("error").at("code"), "quota_exceeded");
  const std::string swap = R"({"then":[{"op":"delete","key":"a"},{"op":"put","key":"b","value":"1"}]})";
  EXPECT_EQ(api_.Send("POST", "/v1/stores/main/transaction", kTeamA, swap).status, 200);
  const std::string grow = R"({"then":[{"op":"put","key":"c","value":"1"}]})";
  EXPECT_EQ(api_.Send("POST", "/v1/stores/main/transaction", kTeamA, grow).status, 507);
  EXPECT_EQ(Usage().at("keys"), 1);
}

TEST_F(QuotaTest, TheRateIs429WithTheTimeToWait) {
  ASSERT_EQ(PutQuota(R"({"quota":{"requests_per_second":2}})").status, 201);
  const std::string key = std::string(kKeys) + "/k";
  EXPECT_EQ(api_.Send("GET", key, kTeamA).status, 404);
  EXPECT_EQ(api_.Send("GET", key, kTeamA).status, 404);
  const Answer refused = api_.Send("GET", key, kTeamA);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.Code(), "rate_limited");
  EXPECT_EQ(refused.Header("Retry-After"), "1");
  EXPECT_EQ(api_.Send("GET", key).status, 404);
  api_.clock().Advance(std::chrono::milliseconds{500});
  EXPECT_EQ(api_.Send("GET", key, kTeamA).status, 404);
  EXPECT_EQ(api_.Send("GET", key, kTeamA).status, 429);
}

TEST_F(QuotaTest, WhatIsNoQuotaIsRefused) {
  for (const char* body : {"", "[]", "7", R"({"quota":7})", R"({"quota":{"bytes":-1}})", R"({"quota":{"bytes":1.5}})",
                           R"({"quota":{"bytes":"1"}})", R"({"quota":{"byte":1}})", R"({"quota":{},"x":1})",
                           R"({"bytes":1152921504606846977})", R"({"keys":18446744073709551616})",
                           R"({"requests_per_second":1000001})", R"({"bytes":1,"bytes":2})"}) {
    const Answer answer = PutQuota(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.Code(), "invalid_argument") << body;
  }
  EXPECT_EQ(api_.Send("GET", kNamespace).Json().at("quota"), json::object());
  for (const char* name : {"Team", "team_a", "-a", "a-", "", "a%20b", "%74eam", "a/b"}) {
    EXPECT_EQ(api_.Send("GET", std::string("/v1/namespaces/") + name).status, 400) << name;
  }
}

}  // namespace
}  // namespace holdfast::api
