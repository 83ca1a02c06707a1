#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kKeys = "/v1/stores/main/keys";

void PutAll(ApiHarness& api, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) api.Send("PUT", kKeys + "/" + key, {}, "value of " + key);
}

std::vector<std::string> KeysOf(const nlohmann::json& page) {
  std::vector<std::string> keys;
  for (const auto& item : page.at("items")) keys.push_back(item.at("key"));
  return keys;
}

std::vector<std::string> List(ApiHarness& api, const std::string& query) {
  const Answer answer = api.Send("GET", kKeys + query);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return KeysOf(answer.Json());
}

using Keys = std::vector<std::string>;

TEST(ListTest, MemoryRangesAndOrder) {
  ApiHarness api;
  PutAll(api, {"a", "b/1", "b/2", "b/3", "c"});
  EXPECT_EQ(List(api, ""), (Keys{"a", "b/1", "b/2", "b/3", "c"}));
  EXPECT_EQ(List(api, "?prefix=b/"), (Keys{"b/1", "b/2", "b/3"}));
  EXPECT_EQ(List(api, "?start=b/2"), (Keys{"b/2", "b/3", "c"}));
  EXPECT_EQ(List(api, "?end=b/2"), (Keys{"a", "b/1"}));
  EXPECT_EQ(List(api, "?prefix=b/&start=b/2&end=b/3"), (Keys{"b/2"}));
  EXPECT_EQ(List(api, "?prefix=&start=&end="), (Keys{"a", "b/1", "b/2", "b/3", "c"}));
  EXPECT_EQ(List(api, "?order=desc&prefix=b/"), (Keys{"b/3", "b/2", "b/1"}));
  EXPECT_EQ(List(api, "?limit=2"), (Keys{"a", "b/1"}));
  EXPECT_EQ(List(api, "?prefix=nothing"), Keys{});
  EXPECT_EQ(List(api, "?start=c&end=a"), Keys{});
}

TEST(ListTest, MemoryItemsTellEverythingKnown) {
  ApiHarness api;
  const Answer put = api.Send("PUT", kKeys + "/k",
                              {{"Content-Type", "text/plain"},
                               {"Holdfast-TTL", "10"},
                               {"Holdfast-Metadata", R"({"n":1})"},
                               {"Holdfast-Tags", "x,y"}},
                              "hello");
  const auto page = api.Send("GET", kKeys + "?values=true").Json();
  const auto expected = nlohmann::json{{"key", "k"},
                                       {"etag", put.Header("ETag").substr(1, put.Header("ETag").size() - 2)},
                                       {"size", 5},
                                       {"created_at", "2023-11-14T22:13:20Z"},
                                       {"updated_at", "2023-11-14T22:13:20Z"},
                                       {"expires_at", "2023-11-14T22:13:30Z"},
                                       {"content_type", "text/plain"},
                                       {"metadata", {{"n", 1}}},
                                       {"tags", {"x", "y"}},
                                       {"value", "hello"}};
  EXPECT_EQ(page.at("items").at(0), expected);
  EXPECT_EQ(page.at("prefixes"), nlohmann::json::array());
  EXPECT_EQ(page.at("complete"), true);
  EXPECT_EQ(page.at("cursor"), "");
  const auto without = api.Send("GET", kKeys + "?values=false").Json().at("items").at(0);
  EXPECT_FALSE(without.contains("value"));
  EXPECT_EQ(without.at("size"), 5);
}

TEST(ListTest, MemoryBytesThatAreNotUtf8AreBase64) {
  ApiHarness api;
  api.Send("PUT", kKeys + "/%00%ff", {}, "text");
  api.Send("PUT", kKeys + "/plain", {}, "\xff");
  const auto items = api.Send("GET", kKeys + "?values=true").Json().at("items");
  EXPECT_EQ(items[0].at("encoding"), "base64");
  EXPECT_EQ(items[0].at("key"), "AP8=");
  EXPECT_EQ(items[0].at("value"), "dGV4dA==");
  EXPECT_EQ(items[1].at("encoding"), "base64");
  EXPECT_EQ(items[1].at("key"), "cGxhaW4=");
  EXPECT_EQ(items[1].at("value"), "/w==");
  // Without values the second key is text again.
  EXPECT_EQ(api.Send("GET", kKeys).Json().at("items")[1].at("key"), "plain");
}

TEST(ListTest, MemoryPagesCoverEverythingOnceInBothOrders) {
  ApiHarness api;
  Keys keys;
  for (int i = 100; i < 137; ++i) keys.push_back("k" + std::to_string(i));
  PutAll(api, keys);
  for (const std::string order : {"asc", "desc"}) {
    for (const int limit : {1, 5, 36, 37, 38}) {
      Keys seen;
      std::string cursor;
      bool complete = false;
      for (int pages = 0; !complete && pages < 50; ++pages) {
        const Answer answer = api.Send(
            "GET", kKeys + "?prefix=k&order=" + order + "&limit=" + std::to_string(limit) + "&cursor=" + cursor);
        ASSERT_EQ(answer.status, 200) << answer.body;
        const auto page = answer.Json();
        for (const std::string& key : KeysOf(page)) seen.push_back(key);
        cursor = page.at("cursor");
        complete = page.at("complete");
        EXPECT_EQ(cursor.empty(), complete);
      }
      Keys expected = keys;
      if (order == "desc") std::reverse(expected.begin(), expected.end());
      EXPECT_EQ(seen, expected) << order << " " << limit;
    }
  }
}

TEST(ListTest, MemoryCursorsBelongToOneList) {
  ApiHarness api;
  PutAll(api, {"a1", "a2", "a3"});
  const std::string cursor = api.Send("GET", kKeys + "?prefix=a&limit=1").Json().at("cursor");
  EXPECT_EQ(List(api, "?prefix=a&cursor=" + cursor), (Keys{"a2", "a3"}));
  // The values and the size of pages may change on the way.
  EXPECT_EQ(List(api, "?prefix=a&values=true&limit=1&cursor=" + cursor), (Keys{"a2"}));
  for (const std::string other :
       {"?cursor=", "?prefix=a&order=desc&cursor=", "?prefix=a&start=a&cursor=", "?prefix=a&end=b&cursor="}) {
    EXPECT_EQ(api.Send("GET", kKeys + other + cursor).status, 400) << other;
  }
  for (const std::string& broken :
       {cursor + "A", cursor.substr(1), std::string("x"), std::string("%00"), std::string("....")}) {
    const Answer answer = api.Send("GET", kKeys + "?prefix=a&cursor=" + broken);
    EXPECT_EQ(answer.status, 400) << broken;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("cursor"));
  }
}

TEST(ListTest, MemoryLimitBounds) {
  ApiHarness api;
  for (const char* limit : {"0", "-1", "10001", "1.5", "", "abc", "99999999999999999999", "+1", "%201"}) {
    const Answer answer = api.Send("GET", kKeys + "?limit=" + limit);
    EXPECT_EQ(answer.status, 400) << limit;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("10000"));
  }
  EXPECT_EQ(api.Send("GET", kKeys + "?limit=10000").status, 200);
}

TEST(ListTest, MemoryCounts) {
  ApiHarness api;
  PutAll(api, {"a", "b/1", "b/2"});
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count").Json(), (nlohmann::json{{"count", 3}}));
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count?prefix=b/").Json(), (nlohmann::json{{"count", 2}}));
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count?prefix=").Json(), (nlohmann::json{{"count", 3}}));
}

TEST(ListTest, MemoryDeletesByPrefix) {
  ApiHarness api;
  PutAll(api, {"a", "b/1", "b/2"});
  EXPECT_EQ(api.Send("DELETE", kKeys).status, 400);
  EXPECT_EQ(api.Send("DELETE", kKeys + "?prefix=").status, 400);
  EXPECT_EQ(api.Send("DELETE", kKeys + "?prefix=&confirm=yes").status, 400);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count").Json().at("count"), 3);
  EXPECT_EQ(api.Send("DELETE", kKeys + "?prefix=b/").Json(), (nlohmann::json{{"deleted", 2}}));
  EXPECT_EQ(List(api, ""), Keys{"a"});
  EXPECT_EQ(api.Send("DELETE", kKeys + "?prefix=&confirm=all").Json(), (nlohmann::json{{"deleted", 1}}));
  EXPECT_EQ(List(api, ""), Keys{});
}

}  // namespace
}  // namespace holdfast::api
