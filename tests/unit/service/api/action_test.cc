#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kKey = "/v1/stores/main/keys/k";

TEST(ActionTest, MemoryTakeGivesTheValueOnce) {
  ApiHarness api;
  const std::string tag = api.Send("PUT", kKey, {{"Content-Type", "text/plain"}}, "v").Header("ETag");
  EXPECT_EQ(api.Send("POST", kKey + "?action=take", {{"If-Match", "\"1\""}}).status, 412);
  const Answer taken = api.Send("POST", kKey + "?action=take", {{"If-Match", tag}});
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.body, "v");
  EXPECT_EQ(taken.content_type, "text/plain");
  EXPECT_EQ(taken.Header("ETag"), tag);
  EXPECT_EQ(api.Send("POST", kKey + "?action=take").status, 404);
}

TEST(ActionTest, MemoryTouchChangesOnlyTheExpiry) {
  ApiHarness api;
  const std::string tag = api.Send("PUT", kKey, {}, "v").Header("ETag");
  const Answer touched = api.Send("POST", kKey + "?action=touch", {{"Holdfast-TTL", "10"}});
  EXPECT_EQ(touched.status, 204);
  EXPECT_EQ(touched.Header("ETag"), tag);
  EXPECT_EQ(touched.Header("Holdfast-Expires-At"), "2023-11-14T22:13:30Z");
  EXPECT_EQ(api.Send("GET", kKey).body, "v");
  EXPECT_EQ(api.Send("POST", kKey + "?action=touch", {{"Holdfast-TTL", "none"}}).Header("Holdfast-Expires-At"), "");
  EXPECT_EQ(api.Send("POST", kKey + "?action=touch").status, 400);
  EXPECT_EQ(api.Send("POST", kKey + "?action=touch", {{"Holdfast-TTL", "keep"}}).status, 400);
  EXPECT_EQ(api.Send("POST", "/v1/stores/main/keys/absent?action=touch", {{"Holdfast-TTL", "1"}}).status, 404);
}

TEST(ActionTest, MemoryIncrement) {
  ApiHarness api;
  const Answer first = api.Send("POST", kKey + "?action=increment", {}, R"({"by":5})");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, R"({"value":5})");
  EXPECT_NE(first.Header("ETag"), "");
  EXPECT_EQ(api.Send("POST", kKey + "?action=increment", {}, R"({"by":-7})").body, R"({"value":-2})");
  EXPECT_EQ(api.Send("POST", kKey + "?action=increment").body, R"({"value":-1})");
  EXPECT_EQ(api.Send("GET", kKey).body, "-1");
  EXPECT_EQ(api.Send("POST", kKey + "?action=increment", {{"If-None-Match", "*"}}).status, 412);
  api.Send("PUT", kKey, {}, "text");
  const Answer refused = api.Send("POST", kKey + "?action=increment");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.Code(), "failed_precondition");
}

TEST(ActionTest, MemoryIncrementKeepsTheExpiryUnlessTold) {
  ApiHarness api;
  api.Send("POST", kKey + "?action=increment", {{"Holdfast-TTL", "10"}});
  EXPECT_EQ(api.Send("POST", kKey + "?action=increment").Header("Holdfast-Expires-At"), "2023-11-14T22:13:30Z");
  EXPECT_EQ(api.Send("POST", kKey + "?action=increment", {{"Holdfast-TTL", "none"}}).Header("Holdfast-Expires-At"), "");
}

TEST(ActionTest, MemoryRefusesWhatMakesNoSense) {
  ApiHarness api;
  api.Send("PUT", kKey, {}, "1");
  const auto refused = [&](const std::string& query, const HeaderList& headers, const std::string& body) {
    const Answer answer = api.Send("POST", kKey + query, headers, body);
    EXPECT_EQ(answer.Code(), "invalid_argument") << query << body;
    return answer.status;
  };
  EXPECT_EQ(refused("", {}, ""), 400);
  EXPECT_EQ(refused("?action=", {}, ""), 400);
  EXPECT_EQ(refused("?action=increase", {}, ""), 400);
  EXPECT_EQ(refused("?action=take", {}, "body"), 400);
  EXPECT_EQ(refused("?action=take", {{"Holdfast-TTL", "1"}}, ""), 400);
  EXPECT_EQ(refused("?action=take", {{"If-None-Match", "*"}}, ""), 400);
  EXPECT_EQ(refused("?action=increment", {}, "5"), 400);
  EXPECT_EQ(refused("?action=increment", {}, R"({"by":"5"})"), 400);
  EXPECT_EQ(refused("?action=increment", {}, R"({"by":9223372036854775808})"), 400);
  EXPECT_EQ(refused("?action=increment", {}, R"({"amount":5})"), 400);
  EXPECT_EQ(api.Send("GET", kKey).body, "1");
}

}  // namespace
}  // namespace holdfast::api
