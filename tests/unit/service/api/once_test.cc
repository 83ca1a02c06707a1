// Idempotency-Key over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::api {
namespace {

const std::string kStore = "/v1/stores/main";
const std::string kCounter = kStore + "/keys/n?action=increment";

HeaderList WithKey(const std::string& key) {
  return {{"Idempotency-Key", key}};
}

TEST(OnceTest, MemoryARepeatedIncrementCountsOnce) {
  ApiHarness api;
  const Answer first = api.Send("POST", kCounter, WithKey("a"), R"({"by":5})");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.Json().at("value"), 5);
  EXPECT_EQ(first.Header("Holdfast-Replayed"), "");
  EXPECT_EQ(api.Send("POST", kCounter, WithKey("b"), R"({"by":5})").Json().at("value"), 10);
  const Answer repeat = api.Send("POST", kCounter, WithKey("a"), R"({"by":5})");
  EXPECT_EQ(repeat.status, 200);
  EXPECT_EQ(repeat.body, first.body);
  EXPECT_EQ(repeat.Header("ETag"), first.Header("ETag"));
  EXPECT_EQ(repeat.Header("Holdfast-Replayed"), "true");
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").body, "10");
}

TEST(OnceTest, MemoryConcurrentRepeatsCountOnce) {
  ApiHarness api;
  constexpr int kKeys = 25;
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kKeys; ++i) {
        // A conflict is "try again": others changed the counter again and again.
        while (api.Send("POST", kCounter, WithKey(std::to_string(i))).status == 409) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").body, std::to_string(kKeys));
}

TEST(OnceTest, MemoryEveryPostIsAnsweredLikeTheFirstTime) {
  ApiHarness api;
  api.Send("PUT", kStore + "/keys/t", {{"Content-Type", "text/plain"}}, "taken");
  const std::tuple<std::string, std::string> rows[] = {
      {kStore + "/keys/t?action=take", ""},
      {kStore + "/batch", R"({"operations":[{"op":"increment","key":"b"}]})"},
      {kStore + "/transaction", R"({"then":[{"op":"increment","key":"c"}]})"},
      {kStore + "/transactions", "{}"},
      {kStore + "/locks/l", R"({"owner":"me"})"},
      {kStore + "/channels/c", "hello"},
  };
  for (const auto& [target, body] : rows) {
    const Answer first = api.Send("POST", target, WithKey("same"), body);
    EXPECT_LT(first.status, 300) << target << first.body;
    const Answer repeat = api.Send("POST", target, WithKey("same"), body);
    EXPECT_EQ(repeat.Header("Holdfast-Replayed"), "true") << target;
    EXPECT_EQ(repeat.status, first.status) << target;
    EXPECT_EQ(repeat.body, first.body) << target;
    EXPECT_EQ(repeat.content_type, first.content_type) << target;
    EXPECT_EQ(repeat.Header("ETag"), first.Header("ETag")) << target;
  }
  EXPECT_EQ(api.Send("GET", kStore + "/keys/b").body, "1");
  EXPECT_EQ(api.Send("GET", kStore + "/keys/c").body, "1");
}

TEST(OnceTest, MemoryTheSameKeyForAnotherRequestIsRefused) {
  ApiHarness api;
  api.Send("POST", kCounter, WithKey("a"), R"({"by":5})");
  const Answer other = api.Send("POST", kCounter, WithKey("a"), R"({"by":6})");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.Code(), "invalid_argument");
  HeaderList with_ttl = WithKey("a");
  with_ttl.emplace_back("Holdfast-TTL", "5s");
  EXPECT_EQ(api.Send("POST", kCounter, with_ttl, R"({"by":5})").status, 422);
  EXPECT_EQ(api.Send("POST", kStore + "/keys/m?action=increment", WithKey("a")).Json().at("value"), 1)
      << "on another path it is another key";
  HeaderList other_tenant = WithKey("a");
  other_tenant.emplace_back("Holdfast-Namespace", "team-b");
  EXPECT_EQ(api.Send("POST", kCounter, other_tenant, R"({"by":6})").Json().at("value"), 6);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").body, "5");
}

TEST(OnceTest, MemoryWhatFailedMayBeSentAgain) {
  ApiHarness api;
  api.Send("PUT", kStore + "/keys/n", {}, "text");
  EXPECT_EQ(api.Send("POST", kCounter, WithKey("a")).Code(), "failed_precondition");
  EXPECT_EQ(api.Send("POST", kStore + "/keys/t?action=take", WithKey("a")).status, 404);
  EXPECT_EQ(api.Send("POST", kStore + "/batch", WithKey("a"), "[]").status, 400);
  api.Send("PUT", kStore + "/keys/n", {}, "1");
  api.Send("PUT", kStore + "/keys/t", {}, "1");
  EXPECT_EQ(api.Send("POST", kCounter, WithKey("a")).Json().at("value"), 2);
  EXPECT_EQ(api.Send("POST", kStore + "/keys/t?action=take", WithKey("a")).body, "1");
  EXPECT_EQ(api.Send("POST", kStore + "/batch", WithKey("a"), R"({"operations":[]})").status, 200);
}

TEST(OnceTest, MemoryAnswersAreKeptForADay) {
  ApiHarness api;
  api.Send("POST", kCounter, WithKey("a"));
  api.clock().Advance(std::chrono::hours{23});
  EXPECT_EQ(api.Send("POST", kCounter, WithKey("a")).Json().at("value"), 1);
  api.clock().Advance(std::chrono::hours{2});
  EXPECT_EQ(api.Send("POST", kCounter, WithKey("a")).Json().at("value"), 2);
}

TEST(OnceTest, MemoryALongAnswerIsNotKeptAndNotRunAgain) {
  ApiHarness::Options options;
  options.api.once.max_answer_bytes = 500;
  ApiHarness api(std::move(options));
  api.Send("PUT", kStore + "/keys/t", {}, std::string(1'000, 'x'));
  EXPECT_EQ(api.Send("POST", kStore + "/keys/t?action=take", WithKey("a")).status, 200);
  api.Send("PUT", kStore + "/keys/t", {}, "y");
  EXPECT_EQ(api.Send("POST", kStore + "/keys/t?action=take", WithKey("a")).Code(), "outcome_unknown");
  EXPECT_EQ(api.Send("GET", kStore + "/keys/t").body, "y");
}

TEST(OnceTest, MemoryAFencedIncrementIsStillFenced) {
  ApiHarness api;
  const auto acquire = [&] {
    return api.Send("POST", kStore + "/locks/l", {}, R"({"owner":"me","ttl":"1s"})").Json().at("token").dump();
  };
  HeaderList old_one = WithKey("a");
  old_one.emplace_back("Holdfast-Fence", std::string("l=").append(acquire()));
  api.clock().Advance(std::chrono::seconds{2});
  HeaderList new_one = WithKey("b");
  new_one.emplace_back("Holdfast-Fence", std::string("l=").append(acquire()));
  EXPECT_EQ(api.Send("POST", kCounter, old_one).Code(), "fenced");
  EXPECT_EQ(api.Send("POST", kCounter, new_one).Json().at("value"), 1);
  EXPECT_EQ(api.Send("POST", kCounter, new_one).Json().at("value"), 1);
}

TEST(OnceTest, MemoryBadKeysAreRefused) {
  ApiHarness api;
  for (const std::string& key : {std::string(), std::string(256, 'k')}) {
    EXPECT_EQ(api.Send("POST", kCounter, WithKey(key)).status, 400);
  }
  EXPECT_EQ(api.Send("PUT", kStore + "/keys/n", WithKey("a"), "1").status, 400);
  HeaderList inside = WithKey("a");
  inside.emplace_back("Holdfast-Transaction", "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(api.Send("POST", kCounter, inside).status, 400);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").status, 404);
}

// The row is a part of the transaction, so whoever comes second fails as a whole and is answered by the row.
TEST(OnceTest, MemoryConcurrentTransactionsTakeEffectOnce) {
  ApiHarness api;
  constexpr int kKeys = 25;
  const std::string body = R"({"then":[{"op":"increment","key":"n"}]})";
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kKeys; ++i) {
        const Answer answer = api.Send("POST", kStore + "/transaction", WithKey(std::to_string(i)), body);
        EXPECT_EQ(answer.Json().at("committed"), true) << answer.body;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").body, std::to_string(kKeys));
}

TEST(OnceTest, MemoryTheBranchThatRanIsRemembered) {
  ApiHarness api;
  const std::string target = kStore + "/transaction";
  const std::string body = R"({"if":[{"key":"a","exists":true}],"then":[{"op":"put","key":"b","value":"then"}],)"
                           R"("else":[{"op":"put","key":"b","value":"else"},{"op":"get","key":"b"}]})";
  const Answer first = api.Send("POST", target, WithKey("k"), body);
  EXPECT_EQ(first.Json().at("branch"), "else");
  EXPECT_EQ(first.Json().at("results").size(), 2u) << "the row is no result";
  api.Send("PUT", kStore + "/keys/a", {}, "1");
  EXPECT_EQ(api.Send("POST", target, WithKey("k"), body).body, first.body);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/b").body, "else");
}

TEST(OnceTest, MemoryATransactionThatWasNotAppliedMayBeSentAgain) {
  ApiHarness api;
  const std::string target = kStore + "/transaction";
  const std::string body = R"({"then":[{"op":"put","key":"b","value":"1"},{"op":"take","key":"a"}]})";
  const Answer first = api.Send("POST", target, WithKey("k"), body);
  EXPECT_EQ(first.Json().at("applied"), false);
  EXPECT_EQ(first.Json().at("results")[1].at("status"), 404);
  EXPECT_THAT(first.Json().at("results")[0].at("error").at("detail").get<std::string>(),
              testing::HasSubstr("operation 1"));
  api.Send("PUT", kStore + "/keys/a", {}, "1");
  EXPECT_EQ(api.Send("POST", target, WithKey("k"), body).Json().at("applied"), true);
}

TEST(OnceTest, MemoryALongTransactionIsRememberedWithoutItsResults) {
  ApiHarness::Options options;
  options.api.once.max_answer_bytes = 500;
  ApiHarness api(std::move(options));
  api.Send("PUT", kStore + "/keys/long", {}, std::string(1'000, 'x'));
  const std::string body = R"({"then":[{"op":"increment","key":"n"},{"op":"get","key":"long"}]})";
  EXPECT_EQ(api.Send("POST", kStore + "/transaction", WithKey("k"), body).Json().at("results").size(), 2u);
  const Answer repeat = api.Send("POST", kStore + "/transaction", WithKey("k"), body);
  EXPECT_EQ(repeat.Header("Holdfast-Replayed"), "true");
  EXPECT_EQ(repeat.Json(), (nlohmann::json{{"committed", true}, {"branch", "then"}, {"applied", true}}));
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n").body, "1");
}

TEST(OnceTest, MemoryWhatWasTakenIsGivenAgainAndNothingElseTaken) {
  ApiHarness api;
  api.Send("PUT", kStore + "/keys/job", {{"Content-Type", "text/x"}, {"Holdfast-Tags", "a"}}, "first");
  const Answer taken = api.Send("POST", kStore + "/keys/job?action=take", WithKey("k"));
  EXPECT_EQ(taken.body, "first");
  api.Send("PUT", kStore + "/keys/job", {}, "second");
  const Answer again = api.Send("POST", kStore + "/keys/job?action=take", WithKey("k"));
  EXPECT_EQ(again.body, "first");
  EXPECT_EQ(again.content_type, "text/x");
  EXPECT_EQ(again.Header("Holdfast-Tags"), "a");
  EXPECT_EQ(api.Send("GET", kStore + "/keys/job").body, "second");
}

TEST(OnceTest, MemoryATouchIsNotRepeated) {
  ApiHarness api;
  api.Send("PUT", kStore + "/keys/t", {}, "v");
  HeaderList headers = WithKey("k");
  headers.emplace_back("Holdfast-TTL", "10s");
  const Answer first = api.Send("POST", kStore + "/keys/t?action=touch", headers);
  EXPECT_EQ(first.status, 204);
  api.clock().Advance(std::chrono::seconds{5});
  const Answer repeat = api.Send("POST", kStore + "/keys/t?action=touch", headers);
  EXPECT_EQ(repeat.Header("Holdfast-Expires-At"), first.Header("Holdfast-Expires-At"));
  EXPECT_EQ(api.Send("GET", kStore + "/keys/t").Header("Holdfast-Expires-At"), first.Header("Holdfast-Expires-At"));
}

TEST(OnceTest, MemoryACommitIsAnsweredAgain) {
  ApiHarness api;
  const std::string id = api.Send("POST", kStore + "/transactions").Json().at("id");
  api.Send("PUT", kStore + "/keys/a", {{"Holdfast-Transaction", id}}, "1");
  const std::string commit = kStore + "/transactions/" + id + "?action=commit";
  const Answer first = api.Send("POST", commit, WithKey("k"));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.Header("Holdfast-Replayed"), "");
  const Answer repeat = api.Send("POST", commit, WithKey("k"));
  EXPECT_EQ(repeat.body, first.body);
  EXPECT_EQ(repeat.Header("Holdfast-Replayed"), "true");
}

TEST(OnceTest, MemoryCallersDoNotSeeEachOthersAnswers) {
  const tenancy::TemporaryFile file(
      "tokens: [{name: a, token: canary-a, namespace: team}, {name: b, token: canary-b, namespace: team}]\n"
      "rules: [{principals: [a, b], verbs: [write]}]\n");
  ApiHarness::Options options;
  options.access.mode = tenancy::AuthMode::kTokens;
  options.access.file = file.path();
  options.access.reread_interval = std::chrono::hours{1};
  ApiHarness api(std::move(options));
  const auto increment = [&](const std::string& caller) {
    HeaderList headers = WithKey("same");
    headers.emplace_back("Authorization", std::string("Bearer canary-").append(caller));
    return api.Send("POST", kCounter, headers).Json().at("value").get<int>();
  };
  EXPECT_EQ(increment("a"), 1);
  EXPECT_EQ(increment("b"), 2);
  EXPECT_EQ(increment("a"), 1);
}

TEST(OnceTest, MemoryAnswersCountTowardsTheQuotaOfTheirNamespace) {
  ApiHarness api;
  ASSERT_EQ(api.Send("PUT", "/v1/namespaces/team-a", {}, R"({"quota":{"bytes":300}})").status, 201);
  HeaderList headers = {{"Holdfast-Namespace", "team-a"}};
  int counted = 0;
  for (int i = 0; i < 10; ++i) {
    HeaderList with_key = headers;
    with_key.emplace_back("Idempotency-Key", std::to_string(i));
    const Answer answer = api.Send("POST", kCounter, with_key);
    if (answer.status == 200) {
      ++counted;
    } else {
      EXPECT_EQ(answer.Code(), "quota_exceeded");
    }
  }
  EXPECT_LT(counted, 10);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/n", headers).body, std::to_string(counted)) << "nothing without its row";
}

TEST(OnceTest, MemoryTheyAreCounted) {
  ApiHarness api;
  api.Send("POST", kCounter, WithKey("a"));
  api.Send("POST", kCounter, WithKey("a"));
  api.Send("POST", kCounter, WithKey("a"), R"({"by":2})");
  api.Send("POST", kStore + "/batch", WithKey("a"), R"({"operations":[]})");
  const std::string metrics = api.registry().Serialize();
  for (const char* line : {"{result=\"first\"} 2", "{result=\"replayed\"} 1", "{result=\"refused\"} 1"}) {
    EXPECT_THAT(metrics, testing::HasSubstr(std::string("holdfast_idempotency_requests_total").append(line)));
  }
}

}  // namespace
}  // namespace holdfast::api
