#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kBatch = "/v1/stores/main/batch";

Answer Post(ApiHarness& api, const std::string& body) {
  return api.Send("POST", kBatch, {{"Content-Type", "application/json"}}, body);
}

nlohmann::json Results(ApiHarness& api, const nlohmann::json& operations) {
  const Answer answer = Post(api, nlohmann::json{{"operations", operations}}.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.Json().value("results", nlohmann::json::array());
}

TEST(BatchTest, MemoryAllSixOperationsInOrder) {
  ApiHarness api;
  const auto results = Results(api, {{{"op", "put"}, {"key", "a"}, {"value", "1"}, {"ttl", "1h"}},
                                     {{"op", "put"}, {"key", "a"}, {"value", "2"}},
                                     {{"op", "get"}, {"key", "a"}},
                                     {{"op", "touch"}, {"key", "a"}, {"ttl", "10s"}},
                                     {{"op", "increment"}, {"key", "a"}, {"by", 40}},
                                     {{"op", "take"}, {"key", "a"}},
                                     {{"op", "get"}, {"key", "a"}},
                                     {{"op", "delete"}, {"key", "a"}}});
  ASSERT_EQ(results.size(), 8u);
  EXPECT_EQ(results[0].at("status"), 201);
  EXPECT_EQ(results[0].at("expires_at"), "2023-11-14T23:13:20Z");
  EXPECT_EQ(results[1].at("status"), 204);
  EXPECT_EQ(results[2].at("status"), 200);
  EXPECT_EQ(results[2].at("value"), "2");
  EXPECT_EQ(results[2].at("etag"), results[1].at("etag"));
  EXPECT_FALSE(results[2].contains("expires_at"));
  EXPECT_EQ(results[3].at("status"), 204);
  EXPECT_EQ(results[3].at("etag"), results[2].at("etag"));
  EXPECT_EQ(results[4].at("status"), 200);
  EXPECT_EQ(results[4].at("value"), 42);
  EXPECT_EQ(results[5].at("status"), 200);
  EXPECT_EQ(results[5].at("value"), "42");
  EXPECT_EQ(results[6].at("status"), 404);
  EXPECT_EQ(results[6].at("error").at("code"), "not_found");
  EXPECT_EQ(results[7].at("status"), 204);
}

TEST(BatchTest, MemoryEachOperationIsOnItsOwn) {
  ApiHarness api;
  const std::string tag = api.Send("PUT", "/v1/stores/main/keys/a", {}, "1").Header("ETag");
  const auto results = Results(api, {{{"op", "put"}, {"key", "a"}, {"value", "x"}, {"if_none_match", "*"}},
                                     {{"op", "put"}, {"key", "a"}, {"value", "x"}, {"if_match", "1"}},
                                     {{"op", "put"}, {"key", std::string(600, 'k')}, {"value", "x"}},
                                     {{"op", "put"}, {"key", ""}, {"value", "x"}},
                                     {{"op", "increment"}, {"key", "a"}, {"by", -3}, {"if_match", tag}},
                                     {{"op", "delete"}, {"key", "b"}, {"if_match", "*"}},
                                     {{"op", "put"}, {"key", "b"}, {"value", "y"}, {"if_none_match", "*"}}});
  EXPECT_EQ(results[0].at("status"), 412);
  EXPECT_EQ(results[0].at("error").at("code"), "already_exists");
  EXPECT_EQ("\"" + results[0].at("etag").get<std::string>() + "\"", tag);
  EXPECT_EQ(results[1].at("status"), 412);
  EXPECT_EQ(results[1].at("error").at("code"), "version_conflict");
  EXPECT_EQ(results[2].at("status"), 400);
  EXPECT_EQ(results[3].at("status"), 400);
  EXPECT_EQ(results[4].at("value"), -2);
  EXPECT_EQ(results[5].at("status"), 412);
  EXPECT_EQ(results[6].at("status"), 201);
}

TEST(BatchTest, MemoryBase64PerOperation) {
  ApiHarness api;
  const auto results = Results(api, {{{"op", "put"}, {"key", "AP8="}, {"value", "/w=="}, {"encoding", "base64"}},
                                     {{"op", "get"}, {"key", "AP8="}, {"encoding", "base64"}},
                                     {{"op", "put"}, {"key", "text"}, {"value", "t"}},
                                     {{"op", "get"}, {"key", "dGV4dA=="}, {"encoding", "base64"}},
                                     {{"op", "get"}, {"key", "text"}}});
  EXPECT_EQ(results[1].at("value"), "/w==");
  EXPECT_EQ(results[1].at("encoding"), "base64");
  EXPECT_EQ(results[3].at("value"), "dA==");
  EXPECT_EQ(results[4].at("value"), "t");
  EXPECT_FALSE(results[4].contains("encoding"));
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/%00%ff").body, "\xff");
}

TEST(BatchTest, MemoryMetadataTagsAndTypeAreKept) {
  ApiHarness api;
  Results(api, {{{"op", "put"},
                 {"key", "k"},
                 {"value", "v"},
                 {"content_type", "text/plain"},
                 {"metadata", {{"n", 9007199254740993}, {"s", "é\n"}}},
                 {"tags", {"a", "b"}}}});
  const Answer read = api.Send("GET", "/v1/stores/main/keys/k");
  EXPECT_EQ(read.content_type, "text/plain");
  EXPECT_EQ(read.Header("Holdfast-Metadata"), R"({"n":9007199254740993,"s":"\u00e9\n"})");
  EXPECT_EQ(read.Header("Holdfast-Tags"), "a,b");
}

// Nothing of a batch that cannot be read is done.
TEST(BatchTest, MemoryRefusesWhatItDoesNotUnderstand) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "JSON"},
      {"[]", "object"},
      {"{}", "operations"},
      {R"({"operations":{}})", "array"},
      {R"({"operations":[],"extra":1})", "extra"},
      {R"({"operation":[]})", "operations"},
      {R"({"operations":[1]})", "operations[0]"},
      {R"({"operations":[{"key":"k"}]})", "operations[0].op"},
      {R"({"operations":[{"op":"gte","key":"k"}]})", "\"get\""},
      {R"({"operations":[{"op":"get"}]})", "operations[0].key"},
      {R"({"operations":[{"op":"get","key":5}]})", "operations[0].key"},
      {R"({"operations":[{"op":"get","key":"k","kye":"k"}]})", "\"key\""},
      {R"({"operations":[{"op":"get","key":"k","value":"v"}]})", "operations[0].value"},
      {R"({"operations":[{"op":"put","key":"k"}]})", "operations[0].value"},
      {R"({"operations":[{"op":"put","key":"k","value":{}}]})", "operations[0].value"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","ttl":"0"}]})", "operations[0].ttl"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","ttl":5}]})", "operations[0].ttl"},
      {R"({"operations":[{"op":"touch","key":"k"}]})", "operations[0].ttl"},
      {R"({"operations":[{"op":"touch","key":"k","ttl":"keep"}]})", "operations[0].ttl"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","metadata":[]}]})", "operations[0].metadata"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","content_type":"a\r\nSet-Cookie: x"}]})", "content_type"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","tags":["a,b"]}]})", "operations[0].tags"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","tags":"a"}]})", "operations[0].tags"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","encoding":"hex"}]})", "operations[0].encoding"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","encoding":"base64"}]})", "base64"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","if_match":""}]})", "operations[0].if_match"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","if_none_match":"7"}]})", "operations[0].if_none_match"},
      {R"({"operations":[{"op":"put","key":"k","value":"v","if_match":"7","if_none_match":"*"}]})", "contradicts"},
      {R"({"operations":[{"op":"increment","key":"k","by":1.5}]})", "operations[0].by"},
      {R"({"operations":[{"op":"increment","key":"k","by":9223372036854775808}]})", "operations[0].by"},
      {R"({"operations":[{"op":"increment","key":"k","by":"1"}]})", "operations[0].by"},
      {R"({"operations":[{"op":"delete","key":"k","by":1}]})", "operations[0].by"},
      {R"({"operations":[{"op":"put","key":"k","key":"l","value":"v"}]})", "twice"},
      {R"({"operations":[{"op":"put","key":"k","value":NaN}]})", "byte"},
      {"{\"operations\":[{\"op\":\"put\",\"key\":\"k\",\"value\":\"\xff\"}]}", "UTF-8"},
      {R"({"operations":[]} {})", "byte"},
  };
  for (const auto& [body, expected] : rows) {
    ApiHarness api;
    // An operation in front that would be fine.
    const Answer answer = Post(api, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.Code(), "invalid_argument") << body;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr(expected)) << body;
  }
}

TEST(BatchTest, MemoryABadOperationKeepsTheWholeBatchFromRunning) {
  ApiHarness api;
  const Answer refused =
      Post(api, R"({"operations":[{"op":"put","key":"k","value":"v"},{"op":"nonsense","key":"k"}]})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/k").status, 404);
}

TEST(BatchTest, MemoryIntegerEdges) {
  ApiHarness api;
  const auto results = Results(api, {{{"op", "increment"}, {"key", "n"}, {"by", INT64_MAX}},
                                     {{"op", "increment"}, {"key", "n"}, {"by", 1}},
                                     {{"op", "increment"}, {"key", "n"}, {"by", INT64_MIN}},
                                     {{"op", "put"}, {"key", "s"}, {"value", "text"}},
                                     {{"op", "increment"}, {"key", "s"}}});
  EXPECT_EQ(results[0].at("value"), INT64_MAX);
  EXPECT_EQ(results[1].at("status"), 409);
  EXPECT_EQ(results[1].at("error").at("code"), "failed_precondition");
  EXPECT_EQ(results[2].at("value"), -1);
  EXPECT_EQ(results[4].at("status"), 409);
}

TEST(BatchTest, MemoryTenThousandOperationsAndNotOneMore) {
  ApiHarness api;
  auto operations = nlohmann::json::array();
  for (int i = 0; i < 10'000; ++i) {
    operations.push_back({{"op", i % 2 == 0 ? "put" : "get"}, {"key", "k" + std::to_string(i / 2)}});
    if (i % 2 == 0) operations.back()["value"] = std::to_string(i);
  }
  const auto results = Results(api, operations);
  ASSERT_EQ(results.size(), 10'000u);
  EXPECT_EQ(results[9'999].at("value"), "9998");
  operations.push_back({{"op", "get"}, {"key", "k"}});
  const Answer refused = Post(api, nlohmann::json{{"operations", operations}}.dump());
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.Detail(), testing::HasSubstr("10000"));
}

TEST(BatchTest, MemoryReadsStopAtTheResponseLimit) {
  ApiHarness::Options options;
  options.api.max_batch_response_bytes = 1 << 20;
  ApiHarness api(options);
  api.Send("PUT", "/v1/stores/main/keys/big", {}, std::string(1 << 19, 'x'));
  auto operations = nlohmann::json::array();
  for (int i = 0; i < 200; ++i) operations.push_back({{"op", "get"}, {"key", "big"}});
  operations.push_back({{"op", "take"}, {"key", "big"}});
  operations.push_back({{"op", "put"}, {"key", "after"}, {"value", "v"}});
  const auto results = Results(api, operations);
  EXPECT_EQ(results[0].at("status"), 200);
  EXPECT_EQ(results[199].at("status"), 413);
  EXPECT_EQ(results[199].at("error").at("code"), "too_large");
  // Also when nothing is left that may be attempted.
  operations.erase(operations.end() - 2, operations.end());
  EXPECT_EQ(Results(api, operations).back().at("status"), 413);
  // A take that was refused took nothing; writes go on.
  EXPECT_EQ(results[200].at("status"), 413);
  EXPECT_EQ(results[201].at("status"), 201);
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/big").status, 200);
}

TEST(BatchTest, MemoryEmptyBatch) {
  ApiHarness api;
  EXPECT_EQ(Post(api, R"({"operations":[]})").Json(), (nlohmann::json{{"results", nlohmann::json::array()}}));
}

TEST(BatchTest, MemoryContentTypes) {
  ApiHarness api;
  const std::string body = R"({"operations":[]})";
  for (const char* type :
       {"application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(api.Send("POST", kBatch, {{"Content-Type", type}}, body).status, 200) << type;
  }
  EXPECT_EQ(api.Send("POST", kBatch, {}, body).status, 200);
  for (const char* type : {"application/cbor", "application/msgpack"}) {
    EXPECT_EQ(api.Send("POST", kBatch, {{"Content-Type", type}}, body).status, 400) << "JSON is no " << type;
  }
  EXPECT_EQ(api.Send("POST", kBatch, {{"Content-Type", "image/png"}}, body).status, 415);
}

}  // namespace
}  // namespace holdfast::api
