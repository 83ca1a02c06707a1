#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

const std::string kTransaction = "/v1/stores/main/transaction";

Answer Post(ApiHarness& api, const nlohmann::json& body) {
  return api.Send("POST", kTransaction, {{"Content-Type", "application/json"}}, body.dump());
}

TEST(TransactionTest, MemoryThenOrElse) {
  ApiHarness api;
  const nlohmann::json body = {
      {"if", {{{"key", "a"}, {"exists", false}}}},
      {"then", {{{"op", "put"}, {"key", "a"}, {"value", "1"}}, {{"op", "put"}, {"key", "b"}, {"value", "2"}}}},
      {"else", {{{"op", "get"}, {"key", "a"}}}}};
  const auto first = Post(api, body).Json();
  EXPECT_EQ(first.at("committed"), true);
  EXPECT_EQ(first.at("results").size(), 2u);
  EXPECT_EQ(first.at("results")[0].at("status"), 201);
  const auto second = Post(api, body).Json();
  EXPECT_EQ(second.at("committed"), false);
  EXPECT_EQ(second.at("branch"), "else");
  EXPECT_EQ(second.at("results")[0].at("value"), "1");
}

TEST(TransactionTest, MemoryConditionsOnVersionAndValue) {
  ApiHarness api;
  const std::string tag = api.Send("PUT", "/v1/stores/main/keys/a", {}, "x").Header("ETag");
  const std::string version = tag.substr(1, tag.size() - 2);
  const auto run = [&](const nlohmann::json& condition) {
    return Post(api, {{"if", {condition}}, {"then", {{{"op", "get"}, {"key", "a"}}}}})
        .Json()
        .at("committed")
        .get<bool>();
  };
  EXPECT_TRUE(run({{"key", "a"}, {"etag", version}}));
  EXPECT_TRUE(run({{"key", "a"}, {"etag", tag}}));
  EXPECT_FALSE(run({{"key", "a"}, {"etag", "1"}}));
  EXPECT_TRUE(run({{"key", "a"}, {"value", "x"}}));
  EXPECT_FALSE(run({{"key", "a"}, {"value", "y"}}));
  EXPECT_TRUE(run({{"key", "YQ=="}, {"value", "eA=="}, {"encoding", "base64"}}));
  EXPECT_TRUE(run({{"key", "a"}, {"exists", true}}));
  EXPECT_FALSE(run({{"key", "b"}, {"exists", true}}));
}

TEST(TransactionTest, MemoryAFailedOperationUndoesEverything) {
  ApiHarness api;
  api.Send("PUT", "/v1/stores/main/keys/text", {}, "no number");
  const auto answer =
      Post(api, {{"then", {{{"op", "put"}, {"key", "a"}, {"value", "1"}}, {{"op", "increment"}, {"key", "text"}}}}})
          .Json();
  EXPECT_EQ(answer.at("committed"), false);
  EXPECT_EQ(answer.at("branch"), "then");
  EXPECT_EQ(answer.at("applied"), false);
  EXPECT_EQ(answer.at("results")[1].at("error").at("code"), "failed_precondition");
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/a").status, 404);
}

TEST(TransactionTest, MemoryRefusesWhatItDoesNotUnderstand) {
  ApiHarness api;
  const std::pair<const char*, const char*> rows[] = {
      {"[]", "object"},
      {R"({"when":[]})", "\"when\""},
      {R"({"if":[{"key":"a"}]})", "if[0]"},
      {R"({"if":[{"key":"a","exists":true,"value":"x"}]})", "exactly one"},
      {R"({"if":[{"exists":true}]})", "if[0].key"},
      {R"({"if":[{"key":"a","exists":"yes"}]})", "if[0].exists"},
      {R"({"then":[{"op":"put","key":"a"}]})", "then[0].value"},
      {R"({"else":[{"op":"put","key":"a"}]})", "else[0].value"},
      {R"({"then":[{"op":"put","key":"","value":"v"}]})", "key"},
  };
  for (const auto& [body, expected] : rows) {
    const Answer answer = api.Send("POST", kTransaction, {}, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr(expected)) << body;
  }
}

}  // namespace
}  // namespace holdfast::api
