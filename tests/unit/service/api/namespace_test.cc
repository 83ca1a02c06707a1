// The header Holdfast-Namespace: whose keys a request is about.
#include <gtest/gtest.h>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const HeaderList kTeamA = {{"Holdfast-Namespace", "team-a"}};
const HeaderList kDefault = {{"Holdfast-Namespace", "default"}};

TEST(Namespace, SeparatesKeysListsAndCounts) {
  ApiHarness api;
  EXPECT_EQ(201, api.Send("PUT", "/v1/stores/main/keys/k", {}, "plain").status);
  EXPECT_EQ(404, api.Send("GET", "/v1/stores/main/keys/k", kTeamA).status);
  EXPECT_EQ(201, api.Send("PUT", "/v1/stores/main/keys/k", kTeamA, "theirs").status);
  EXPECT_EQ("plain", api.Send("GET", "/v1/stores/main/keys/k", kDefault).body);
  EXPECT_EQ("theirs", api.Send("GET", "/v1/stores/main/keys/k", kTeamA).body);
  EXPECT_EQ(1, api.Send("GET", "/v1/stores/main/count", kTeamA).Json().value("count", -1));
  EXPECT_EQ(200, api.Send("DELETE", "/v1/stores/main/keys?prefix=&confirm=all", kTeamA).status);
  EXPECT_EQ(200, api.Send("GET", "/v1/stores/main/keys/k").status);
}

TEST(Namespace, HoldsForBatchesAndTransactions) {
  ApiHarness api;
  const std::string batch = R"({"operations":[{"op":"put","key":"b","value":"1"}]})";
  const std::string transaction =
      R"({"if":[{"key":"b","exists":true}],"then":[{"op":"put","key":"t","value":"2"}],"else":[]})";
  EXPECT_EQ(200, api.Send("POST", "/v1/stores/main/batch", kTeamA, batch).status);
  EXPECT_EQ(404, api.Send("GET", "/v1/stores/main/keys/b").status);
  EXPECT_FALSE(api.Send("POST", "/v1/stores/main/transaction", {}, transaction).Json().value("committed", true));
  EXPECT_TRUE(api.Send("POST", "/v1/stores/main/transaction", kTeamA, transaction).Json().value("committed", false));
  EXPECT_EQ("2", api.Send("GET", "/v1/stores/main/keys/t", kTeamA).body);
}

TEST(Namespace, ACursorOfAnotherTenantIsRefused) {
  ApiHarness api;
  for (const char* key : {"a", "b"}) {
    EXPECT_EQ(201, api.Send("PUT", std::string("/v1/stores/main/keys/").append(key), kTeamA, "1").status);
  }
  const std::string cursor = api.Send("GET", "/v1/stores/main/keys?limit=1", kTeamA).Json().value("cursor", "");
  ASSERT_FALSE(cursor.empty());
  const std::string next = "/v1/stores/main/keys?limit=1&cursor=" + cursor;
  EXPECT_EQ(200, api.Send("GET", next, kTeamA).status);
  EXPECT_EQ("invalid_argument", api.Send("GET", next).Code());
}

TEST(Namespace, ABadNameIsRefusedBeforeAnythingChanges) {
  ApiHarness api;
  for (const std::string& name : {std::string(), std::string("Team"), std::string("a/b"), std::string(64, 'a')}) {
    const Answer answer = api.Send("PUT", "/v1/stores/main/keys/k", {{"Holdfast-Namespace", name}}, "1");
    EXPECT_EQ("invalid_argument", answer.Code()) << name;
    EXPECT_NE(std::string::npos, answer.Detail().find("Holdfast-Namespace")) << name;
  }
  EXPECT_EQ(404, api.Send("GET", "/v1/stores/main/keys/k").status);
}

}  // namespace
}  // namespace holdfast::api
