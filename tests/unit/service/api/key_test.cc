#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kKey = "/v1/stores/main/keys/greeting";

TEST(KeyTest, MemoryWritesAndReadsBack) {
  ApiHarness api;
  const Answer created = api.Send("PUT", kKey, {{"Content-Type", "text/plain"}}, "hello");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(created.body, "");
  const Answer read = api.Send("GET", kKey);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "hello");
  EXPECT_EQ(read.content_type, "text/plain");
  EXPECT_EQ(read.Header("ETag"), created.Header("ETag"));
  const Answer replaced = api.Send("PUT", kKey, {}, "hi");
  EXPECT_EQ(replaced.status, 204);
  EXPECT_NE(replaced.Header("ETag"), created.Header("ETag"));
  // What was not given with the rewrite is not kept from before.
  EXPECT_EQ(api.Send("GET", kKey).content_type, "application/octet-stream");
}

TEST(KeyTest, MemoryAnswersTheDefaultStoreByBothNames) {
  ApiHarness api;
  EXPECT_EQ(api.Send("PUT", "/v1/stores/_default/keys/k", {}, "v").status, 201);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/k").body, "v");
  EXPECT_EQ(api.Send("GET", "/v1/stores/%5Fdefault/keys/k").body, "v");
}

TEST(KeyTest, MemoryHeadIsGetWithoutSurprises) {
  ApiHarness api;
  api.Send("PUT", kKey, {}, "hello");
  const Answer head = api.Send("HEAD", kKey);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Header("ETag"), api.Send("GET", kKey).Header("ETag"));
  EXPECT_EQ(api.Send("HEAD", "/v1/stores/main/keys/absent").status, 404);
}

TEST(KeyTest, MemoryDeletesWhetherOrNotItWasThere) {
  ApiHarness api;
  api.Send("PUT", kKey, {}, "hello");
  EXPECT_EQ(api.Send("DELETE", kKey).status, 204);
  EXPECT_EQ(api.Send("DELETE", kKey).status, 204);
  const Answer gone = api.Send("GET", kKey);
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.Code(), "not_found");
}

TEST(KeyTest, MemoryVersionsNeverRepeatAcrossDelete) {
  ApiHarness api;
  const auto version = [](const Answer& answer) {
    const std::string tag = answer.Header("ETag");
    return std::stoull(tag.substr(1, tag.size() - 2));
  };
  const auto first = version(api.Send("PUT", kKey, {}, "1"));
  api.Send("DELETE", kKey);
  EXPECT_GT(version(api.Send("PUT", kKey, {}, "1")), first);
}

// Every spelling is a key of its own, given back byte for byte.
TEST(KeyTest, MemoryKeysAreRawBytes) {
  ApiHarness api;
  const std::vector<std::string> spellings = {
      "window:123", "a/b/c",           "a//b",      "../x",        "..",        ".",         "a+b",    "a%20b",
      "%00%ff",     "%2e%2e%2fsecret", "caf%C3%A9", "cafe%CC%81",  "%E2%80%AE", "%ED%A0%80", "%C0%AF", "a%3Fb",
      "keys/",      "/leading",        "%25",       "a%2Fb-other", "k;v=1",     "~user"};
  for (const std::string& spelling : spellings) {
    EXPECT_EQ(api.Send("PUT", "/v1/stores/main/keys/" + spelling, {}, spelling).status, 201) << spelling;
  }
  for (const std::string& spelling : spellings) {
    EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/" + spelling).body, spelling);
  }
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count").Json().at("count"), spellings.size());
  // Decoded once: %2F is '/', and %252F is not.
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/a%2Fb%2Fc").body, "a/b/c");
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/a%252Fb").status, 404);
}

TEST(KeyTest, MemoryKeyLengthIsCountedInDecodedBytes) {
  ApiHarness api;
  std::string longest;
  for (int i = 0; i < 512; ++i) longest += "%61";
  EXPECT_EQ(api.Send("PUT", "/v1/stores/main/keys/" + longest, {}, "v").status, 201);
  const Answer refused = api.Send("PUT", "/v1/stores/main/keys/" + longest + "b", {}, "v");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.Detail(), testing::HasSubstr("513"));
  EXPECT_THAT(refused.Detail(), testing::HasSubstr("512"));
}

TEST(KeyTest, MemoryCompareAndSwap) {
  ApiHarness api;
  const std::string first = api.Send("PUT", kKey, {}, "1").Header("ETag");
  const Answer swapped = api.Send("PUT", kKey, {{"If-Match", first}}, "2");
  EXPECT_EQ(swapped.status, 204);
  const Answer lost = api.Send("PUT", kKey, {{"If-Match", first}}, "3");
  EXPECT_EQ(lost.status, 412);
  EXPECT_EQ(lost.Code(), "version_conflict");
  EXPECT_EQ(lost.Header("ETag"), swapped.Header("ETag"));
  EXPECT_EQ(api.Send("GET", kKey).body, "2");
}

TEST(KeyTest, MemoryIfMatchNeedsAKey) {
  ApiHarness api;
  for (const char* tag : {"*", "\"7\"", "\"0\"", "\"\"", "\"nonsense\"", "\"18446744073709551616\""}) {
    const Answer put = api.Send("PUT", kKey, {{"If-Match", tag}}, "v");
    EXPECT_EQ(put.status, 412) << tag;
    EXPECT_EQ(put.Header("ETag"), "") << tag;
    EXPECT_EQ(api.Send("DELETE", kKey, {{"If-Match", tag}}).status, 412) << tag;
    EXPECT_EQ(api.Send("GET", kKey, {{"If-Match", tag}}).status, 412) << tag;
  }
  api.Send("PUT", kKey, {}, "v");
  EXPECT_EQ(api.Send("PUT", kKey, {{"If-Match", "*"}}, "w").status, 204);
  EXPECT_EQ(api.Send("DELETE", kKey, {{"If-Match", "\"07\""}}).status, 412);
  EXPECT_EQ(api.Send("DELETE", kKey, {{"If-Match", "*"}}).status, 204);
}

TEST(KeyTest, MemoryCreateOnly) {
  ApiHarness api;
  const Answer created = api.Send("PUT", kKey, {{"If-None-Match", "*"}}, "1");
  EXPECT_EQ(created.status, 201);
  const Answer refused = api.Send("PUT", kKey, {{"If-None-Match", "*"}}, "2");
  EXPECT_EQ(refused.status, 412);
  EXPECT_EQ(refused.Code(), "already_exists");
  EXPECT_EQ(refused.Header("ETag"), created.Header("ETag"));
  EXPECT_EQ(api.Send("GET", kKey).body, "1");
}

TEST(KeyTest, MemoryNotModified) {
  ApiHarness api;
  const std::string tag = api.Send("PUT", kKey, {}, "hello").Header("ETag");
  for (const std::string& match : {tag, "W/" + tag, "\"1\", " + tag, std::string("*")}) {
    const Answer same = api.Send("GET", kKey, {{"If-None-Match", match}});
    EXPECT_EQ(same.status, 304) << match;
    EXPECT_EQ(same.body, "") << match;
    EXPECT_EQ(same.Header("ETag"), tag) << match;
  }
  EXPECT_EQ(api.Send("GET", kKey, {{"If-None-Match", "\"1\""}}).body, "hello");
  EXPECT_EQ(api.Send("HEAD", kKey, {{"If-None-Match", tag}}).status, 304);
}

TEST(KeyTest, MemoryTtl) {
  ApiHarness api;
  const Answer put = api.Send("PUT", kKey, {{"Holdfast-TTL", "1.5"}}, "v");
  EXPECT_EQ(put.Header("Holdfast-Expires-At"), "2023-11-14T22:13:21.5Z");
  EXPECT_EQ(api.Send("GET", kKey).Header("Holdfast-Expires-At"), "2023-11-14T22:13:21.5Z");
  // Keep leaves the expiry, and a rewrite that does not say keep does not.
  EXPECT_NE(api.Send("PUT", kKey, {{"Holdfast-TTL", "keep"}}, "w").Header("Holdfast-Expires-At"), "");
  api.clock().Advance(std::chrono::seconds{2});
  EXPECT_EQ(api.Send("GET", kKey).status, 404);
  api.Send("PUT", kKey, {{"Holdfast-TTL", "1h"}}, "v");
  EXPECT_EQ(api.Send("PUT", kKey, {}, "w").Header("Holdfast-Expires-At"), "");
  EXPECT_EQ(api.Send("GET", kKey).Header("Holdfast-Expires-At"), "");
}

TEST(KeyTest, MemoryDefaultTtlOfTheStore) {
  ApiHarness api({{}, {}, std::chrono::minutes{1}});
  EXPECT_EQ(api.Send("PUT", kKey, {}, "v").Header("Holdfast-Expires-At"), "2023-11-14T22:14:20Z");
  EXPECT_EQ(api.Send("PUT", kKey, {{"Holdfast-TTL", "none"}}, "v").Header("Holdfast-Expires-At"), "");
}

TEST(KeyTest, MemoryMetadataTagsAndContentTypeComeBack) {
  ApiHarness api;
  const Answer put = api.Send("PUT", kKey,
                              {{"Holdfast-Metadata", R"({"source":"kafka","city":"Zürich"})"},
                               {"Holdfast-Tags", "eu, blue"},
                               {"Content-Type", "application/json; charset=utf-8"}},
                              "{}");
  ASSERT_EQ(put.status, 201) << put.body;
  const Answer read = api.Send("GET", kKey);
  EXPECT_EQ(read.Header("Holdfast-Metadata"), R"({"source":"kafka","city":"Z\u00fcrich"})");
  EXPECT_EQ(read.Header("Holdfast-Tags"), "eu,blue");
  EXPECT_EQ(read.content_type, "application/json; charset=utf-8");
}

TEST(KeyTest, MemoryValuesAreAnyBytes) {
  ApiHarness api;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  api.Send("PUT", kKey, {}, bytes);
  EXPECT_EQ(api.Send("GET", kKey).body, bytes);
  api.Send("PUT", kKey, {}, "");
  const Answer empty = api.Send("GET", kKey);
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.body, "");
}

TEST(KeyTest, MemoryValueAboveTheLimit) {
  ApiHarness::Options options;
  options.memory.limits.max_value_bytes = 4;
  ApiHarness api(options);
  EXPECT_EQ(api.MaxBodyBytes("PUT", kKey), 4u);
  const Answer refused = api.Send("PUT", kKey, {}, "12345");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.Code(), "too_large");
  EXPECT_EQ(refused.Json().at("limit"), 4);
}

TEST(KeyTest, MemoryFullIsInsufficientStorage) {
  ApiHarness::Options options;
  options.memory.max_bytes = 1024;
  ApiHarness api(options);
  const Answer refused = api.Send("PUT", kKey, {}, std::string(4096, 'x'));
  EXPECT_EQ(refused.status, 507);
  EXPECT_EQ(refused.Code(), "quota_exceeded");
  EXPECT_NE(refused.Header("Retry-After"), "");
}

TEST(KeyTest, MemoryConsistencyIsTriviallyHonoured) {
  ApiHarness api;
  api.Send("PUT", kKey, {}, "v");
  EXPECT_EQ(api.Send("GET", kKey + "?consistency=strong").status, 200);
  EXPECT_EQ(api.Send("GET", kKey + "?consistency=eventual").status, 200);
  EXPECT_EQ(api.Send("GET", kKey + "?consistency=maybe").status, 400);
  const std::string version = api.Send("GET", kKey).Header("ETag");
  EXPECT_EQ(api.Send("GET", kKey + "?consistency=eventual&min_version=" + version.substr(1, version.size() - 2)).status,
            200);
  EXPECT_EQ(
      api.Send("GET", kKey + "?consistency=eventual&min_version=%22" + version.substr(1, version.size() - 2) + "%22")
          .status,
      200);
  for (const char* wrong : {"", "x", "-1", "1x", "%22", "99999999999999999999"}) {
    const Answer refused = api.Send("GET", kKey + "?min_version=" + wrong);
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_NE(refused.body.find("min_version"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys?consistency=eventual").status, 200);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys?consistency=maybe").status, 400);
}

}  // namespace
}  // namespace holdfast::api
