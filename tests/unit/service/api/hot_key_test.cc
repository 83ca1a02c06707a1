// GET /hot-keys.
#include <gtest/gtest.h>

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kStore = "/v1/stores/main";
const HeaderList kTeamA = {{"Holdfast-Namespace", "team-a"}};

TEST(HotKeysApi, CountsReadsAndWritesOfTheCallersNamespace) {
  ApiHarness api;
  for (int i = 0; i < 5; ++i) api.Send("GET", kStore + "/keys/hot");
  api.Send("PUT", kStore + "/keys/hot", {}, "1");
  api.Send("POST", kStore + "/batch", {}, R"({"operations":[{"op":"get","key":"other"},{"op":"get","key":"other"}]})");
  api.Send("GET", kStore + "/keys/theirs", kTeamA);
  const auto json = api.Send("GET", kStore + "/hot-keys").Json();
  ASSERT_EQ(2u, json.at("items").size());
  EXPECT_EQ("hot", json.at("items")[0].at("key"));
  EXPECT_EQ(5, json.at("items")[0].at("reads"));
  EXPECT_EQ(1, json.at("items")[0].at("writes"));
  EXPECT_EQ("other", json.at("items")[1].at("key"));
  EXPECT_EQ(2, json.at("items")[1].at("reads"));
  EXPECT_EQ("5m", json.at("window"));
  const auto theirs = api.Send("GET", kStore + "/hot-keys", kTeamA).Json();
  ASSERT_EQ(1u, theirs.at("items").size());
  EXPECT_EQ("theirs", theirs.at("items")[0].at("key"));
}

TEST(HotKeysApi, AKeyThatIsNoTextIsBase64) {
  ApiHarness api;
  api.Send("GET", kStore + "/keys/%ff");
  const auto json = api.Send("GET", kStore + "/hot-keys").Json();
  EXPECT_EQ("/w==", json.at("items")[0].at("key"));
  EXPECT_EQ("base64", json.at("items")[0].at("encoding"));
}

TEST(HotKeysApi, TheLimitIsKept) {
  ApiHarness api;
  for (const char* key : {"/keys/a", "/keys/b", "/keys/c"}) api.Send("GET", kStore + key);
  EXPECT_EQ(2u, api.Send("GET", kStore + "/hot-keys?limit=2").Json().at("items").size());
  for (const char* limit : {"0", "-1", "1001", "x", "99999999999999999999"}) {
    EXPECT_EQ("invalid_argument", api.Send("GET", kStore + "/hot-keys?limit=" + limit).Code()) << limit;
  }
}

}  // namespace
}  // namespace holdfast::api
