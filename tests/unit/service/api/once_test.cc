// Idempotency-Key over HTTP.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/service/api/api_harness.h"

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

}  // namespace
}  // namespace holdfast::api
