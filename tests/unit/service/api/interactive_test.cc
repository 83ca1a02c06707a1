// Interactive transactions and fences over HTTP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time/duration.h"
#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::api {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kStore = "/v1/stores/main";

class InteractiveTest : public testing::Test {
 protected:
  std::string Begin(const std::string& body = "") {
    const Answer answer = api_.Send("POST", kStore + "/transactions", {}, body);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.Json().value("id", "");
  }
  Answer Key(std::string_view method, const std::string& key, HeaderList headers, const std::string& body = "") {
    return api_.Send(method, kStore + "/keys/" + key, headers, body);
  }
  Answer In(const std::string& id, std::string_view method, const std::string& key, const std::string& body = "") {
    return Key(method, key, {{"Holdfast-Transaction", id}}, body);
  }
  Answer End(const std::string& id, const std::string& action) {
    return api_.Send("POST", kStore + "/transactions/" + id + "?action=" + action);
  }
  std::string Token(const std::string& lock, const std::string& owner) {
    const Answer held = api_.Send("POST", kStore + "/locks/" + lock, {}, R"({"owner":")" + owner + R"(","ttl":"1s"})");
    EXPECT_EQ(held.status, 201) << held.body;
    return std::to_string(held.Json().value("token", std::uint64_t{0}));
  }

  ApiHarness api_;
};

TEST_F(InteractiveTest, MemoryWritesAppearAtTheCommit) {
  const std::string id = Begin(R"({"isolation":"serializable","timeout":"10s"})");
  const Answer put = In(id, "PUT", "a", "1");
  EXPECT_EQ(put.status, 201);
  EXPECT_THAT(put.Header("ETag"), IsEmpty()) << "there is no version before the commit";
  EXPECT_EQ(In(id, "PUT", "a", "2").status, 204);
  EXPECT_EQ(In(id, "GET", "a").body, "2");
  EXPECT_THAT(In(id, "HEAD", "a").Header("ETag"), IsEmpty());
  EXPECT_EQ(In(id, "POST", "n?action=increment", R"({"by":5})").Json().at("value"), 5);
  EXPECT_EQ(In(id, "PUT", "gone", "x").status, 201);
  EXPECT_EQ(In(id, "POST", "gone?action=take").body, "x");
  EXPECT_EQ(In(id, "DELETE", "gone").status, 204);
  EXPECT_EQ(Key("GET", "a", {}).status, 404);

  const Answer committed = End(id, "commit");
  EXPECT_EQ(committed.status, 200) << committed.body;
  EXPECT_EQ(committed.Json().at("committed"), true);
  const nlohmann::json results = committed.Json().at("results");
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0].at("key"), "a");
  EXPECT_EQ(results[0].at("etag"), Key("GET", "a", {}).Header("ETag"));
  EXPECT_FALSE(results[1].contains("etag")) << "it is gone";
  EXPECT_EQ(Key("GET", "a", {}).body, "2");
  EXPECT_EQ(Key("GET", "n", {}).body, "5");
  EXPECT_EQ(End(id, "commit").body, committed.body) << "asked for again";
}

TEST_F(InteractiveTest, MemoryAConflictIsSaidAndChangesNothing) {
  Key("PUT", "a", {}, "1");
  const std::string id = Begin();
  EXPECT_EQ(In(id, "GET", "a").body, "1");
  EXPECT_EQ(In(id, "PUT", "b", "2").status, 201);
  Key("PUT", "a", {}, "theirs");
  const Answer refused = End(id, "commit");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.Code(), "conflict");
  EXPECT_EQ(Key("GET", "b", {}).status, 404);
  EXPECT_EQ(In(id, "GET", "a").status, 404);
}

TEST_F(InteractiveTest, MemorySavepointsAndRollback) {
  const std::string id = Begin(R"({"isolation":"read_committed"})");
  In(id, "PUT", "a", "1");
  EXPECT_EQ(End(id, "savepoint&name=here").status, 204);
  In(id, "PUT", "a", "2");
  EXPECT_EQ(End(id, "rollback_to&name=nowhere").Code(), "failed_precondition");
  EXPECT_EQ(End(id, "rollback_to&name=here").status, 204);
  EXPECT_EQ(In(id, "GET", "a").body, "1");
  EXPECT_EQ(End(id, "rollback").status, 204);
  EXPECT_EQ(End(id, "rollback").status, 204);
  EXPECT_EQ(End(id, "commit").Code(), "not_found");
  EXPECT_EQ(Key("GET", "a", {}).status, 404);
}

TEST_F(InteractiveTest, MemoryATimeoutIsNamed) {
  const std::string id = Begin(R"({"timeout":"2s"})");
  In(id, "PUT", "a", "1");
  api_.clock().Advance(std::chrono::seconds{3});
  const Answer late = In(id, "PUT", "a", "2");
  EXPECT_EQ(late.status, 404);
  EXPECT_THAT(late.Detail(), HasSubstr("timeout"));
  EXPECT_THAT(End(id, "commit").Detail(), HasSubstr("timeout"));
}

TEST_F(InteractiveTest, MemoryATransactionIsItsTenantsOwn) {
  const std::string id = Begin();
  const Answer foreign =
      api_.Send("POST", kStore + "/transactions/" + id + "?action=commit", {{"Holdfast-Namespace", "team-b"}});
  EXPECT_EQ(foreign.status, 404);
  EXPECT_EQ(End(id, "commit").status, 200);
}

TEST_F(InteractiveTest, MemoryBadRequestsAreRefused) {
  const std::string begin = kStore + "/transactions";
  for (const char* body : {"[]", R"({"isolation":"chaos"})", R"({"isolation":1})", R"({"timeout":"0"})",
                           R"({"timeout":"6m"})", R"({"timeout":5})", R"({"tmeout":"5s"})"}) {
    EXPECT_EQ(api_.Send("POST", begin, {}, body).status, 400) << body;
  }
  const std::string id = Begin();
  for (const char* action : {"", "commi", "commit&name=a", "rollback&name=a"}) {
    EXPECT_EQ(End(id, action).status, 400) << action;
  }
  const HeaderList header = {{"Holdfast-Transaction", id}};
  EXPECT_EQ(api_.Send("GET", kStore + "/keys", header).status, 400);
  EXPECT_EQ(api_.Send("DELETE", kStore + "/keys?prefix=a", header).status, 400);
  EXPECT_EQ(api_.Send("POST", kStore + "/batch", header, R"({"operations":[]})").status, 400);
  EXPECT_EQ(api_.Send("POST", kStore + "/transaction", header, "{}").status, 400);
}

TEST_F(InteractiveTest, MemoryAnOutdatedTokenIsRefusedOnEveryWrite) {
  const std::string old_token = Token("leader", "me");
  const HeaderList old_fence = {{"Holdfast-Fence", "leader=" + old_token}};
  EXPECT_EQ(Key("PUT", "k", old_fence, "1").status, 201);
  const std::string id = Begin();
  EXPECT_EQ(Key("PUT", "t", {{"Holdfast-Fence", "leader=" + old_token}, {"Holdfast-Transaction", id}}, "1").status,
            201);

  api_.clock().Advance(std::chrono::seconds{2});
  const std::string new_token = Token("leader", "you");
  const std::string before = Key("GET", "k", {}).Header("ETag");
  const Answer put = Key("PUT", "k", old_fence, "2");
  EXPECT_EQ(put.status, 412);
  EXPECT_EQ(put.Code(), "fenced");
  EXPECT_EQ(Key("DELETE", "k", old_fence).Code(), "fenced");
  EXPECT_EQ(Key("POST", "k?action=take", old_fence).Code(), "fenced");
  EXPECT_EQ(Key("POST", "k?action=increment", old_fence).Code(), "fenced");
  EXPECT_EQ(End(id, "commit").Code(), "fenced");

  const std::string put_operation = R"({"op":"put","key":"k","value":"3"})";
  const Answer batch = api_.Send("POST", kStore + "/batch", old_fence,
                                 R"({"operations":[)" + put_operation + R"(,{"op":"get","key":"k"}]})");
  EXPECT_EQ(batch.Json().at("results")[0].at("error").at("code"), "fenced");
  EXPECT_EQ(batch.Json().at("results")[1].at("value"), "1") << "a read needs no token";
  const std::string transaction = R"({"then":[)" + put_operation + "]}";
  EXPECT_EQ(api_.Send("POST", kStore + "/transaction", old_fence, transaction).Code(), "fenced");
  EXPECT_EQ(Key("GET", "k", {}).Header("ETag"), before) << "nothing was changed";
  EXPECT_EQ(Key("GET", "t", {}).status, 404);

  const HeaderList new_fence = {{"Holdfast-Fence", "leader=" + new_token}};
  EXPECT_EQ(api_.Send("POST", kStore + "/transaction", new_fence, transaction).Json().at("committed"), true);
  EXPECT_EQ(Key("PUT", "k", new_fence, "4").status, 204);
  EXPECT_EQ(Key("PUT", "k", {}, "5").status, 204) << "whoever sends no fence is not fenced";
}

TEST_F(InteractiveTest, MemoryAFencedWriteKeepsItsOwnPreconditionsAndAnswers) {
  const HeaderList fence = {{"Holdfast-Fence", "never%20held=1"}};
  const Answer created = Key("PUT", "k", fence, "1");
  EXPECT_EQ(created.status, 201);
  HeaderList stale = fence;
  stale.emplace_back("If-Match", "\"1\"");
  const Answer refused = Key("PUT", "k", stale, "2");
  EXPECT_EQ(refused.Code(), "version_conflict");
  EXPECT_EQ(refused.Header("ETag"), created.Header("ETag"));
  EXPECT_EQ(Key("POST", "ghost?action=take", fence).status, 404);
  const Answer failed = api_.Send("POST", kStore + "/transaction", fence,
                                  R"({"then":[{"op":"put","key":"x","value":"1"},{"op":"take","key":"ghost"}]})");
  EXPECT_EQ(failed.Json().at("results").size(), 2u);
  EXPECT_EQ(failed.Json().at("results")[1].at("status"), 404);
  EXPECT_THAT(failed.Json().at("results")[0].at("error").at("detail").get<std::string>(), HasSubstr("operation 1"));
}

TEST_F(InteractiveTest, MemoryMalformedFencesAreRefused) {
  for (const char* fence :
       {"lock", "=1", "lock=", "lock=x", "lock=-1", "lock=1 ", "lock=99999999999999999999", "%zz=1"}) {
    EXPECT_EQ(Key("PUT", "k", {{"Holdfast-Fence", fence}}, "1").status, 400) << fence;
  }
  EXPECT_EQ(Key("GET", "k", {{"Holdfast-Fence", "lock=1"}}).status, 400);
  EXPECT_EQ(api_.Send("DELETE", kStore + "/keys?prefix=a", {{"Holdfast-Fence", "lock=1"}}).status, 400);
  EXPECT_EQ(Key("GET", "k", {}).status, 404);
}

TEST_F(InteractiveTest, MemoryTheLevelsDifferInWhatAReadSees) {
  for (const auto& [isolation, seen, committed] :
       {std::tuple{"read_committed", "2", 200}, {"repeatable_read", "1", 200}, {"serializable", "1", 409}}) {
    Key("PUT", "a", {}, "1");
    const std::string id = Begin(std::string(R"({"isolation":")").append(isolation).append(R"("})"));
    EXPECT_EQ(In(id, "GET", "a").body, "1");
    EXPECT_EQ(In(id, "PUT", "b", isolation).status / 100, 2);
    Key("PUT", "a", {}, "2");
    EXPECT_EQ(In(id, "GET", "a").body, seen) << isolation;
    EXPECT_EQ(End(id, "commit").status, committed) << isolation;
  }
}

TEST_F(InteractiveTest, MemoryPreconditionsHoldInside) {
  const std::string tag = Key("PUT", "a", {}, "1").Header("ETag");
  const std::string id = Begin();
  const auto put = [&](const HeaderList& more) {
    HeaderList headers = {{"Holdfast-Transaction", id}};
    headers.insert(headers.end(), more.begin(), more.end());
    return Key("PUT", "a", headers, "2");
  };
  EXPECT_EQ(put({{"If-None-Match", "*"}}).Code(), "already_exists");
  const Answer refused = put({{"If-Match", "\"1\""}});
  EXPECT_EQ(refused.status, 412);
  EXPECT_EQ(refused.Header("ETag"), tag);
  EXPECT_EQ(put({{"If-Match", tag}}).status, 204);
  EXPECT_EQ(End(id, "commit").status, 200);
  EXPECT_EQ(Key("GET", "a", {}).body, "2");
}

TEST_F(InteractiveTest, MemoryATtlBeginsAtTheCommit) {
  const std::string id = Begin();
  EXPECT_EQ(Key("PUT", "a", {{"Holdfast-Transaction", id}, {"Holdfast-TTL", "10s"}}, "1").Header("Holdfast-Expires-At"),
            "");
  api_.clock().Advance(std::chrono::seconds{8});
  const Answer committed = End(id, "commit");
  ASSERT_EQ(committed.status, 200);
  api_.clock().Advance(std::chrono::seconds{8});
  EXPECT_EQ(Key("GET", "a", {}).Header("Holdfast-Expires-At"), committed.Json().at("results")[0].at("expires_at"));
  api_.clock().Advance(std::chrono::seconds{3});
  EXPECT_EQ(Key("GET", "a", {}).status, 404);
}

TEST_F(InteractiveTest, MemoryTheQuotaIsAskedAtTheCommitWhichMayBeRepeated) {
  ASSERT_EQ(api_.Send("PUT", "/v1/namespaces/default", {}, R"({"quota":{"bytes":400}})").status, 201);
  const std::string id = Begin();
  EXPECT_EQ(In(id, "PUT", "a", std::string(500, 'x')).status, 201);
  const Answer full = End(id, "commit");
  EXPECT_EQ(full.status, 507);
  EXPECT_EQ(full.Code(), "quota_exceeded");
  EXPECT_EQ(Key("GET", "a", {}).status, 404);
  ASSERT_EQ(api_.Send("PUT", "/v1/namespaces/default", {}, R"({"quota":{"bytes":4000}})").status, 200);
  EXPECT_EQ(End(id, "commit").status, 200);
  EXPECT_EQ(Key("GET", "a", {}).body.size(), 500u);
}

TEST(InteractiveLimitsTest, MemoryOpenOnesAreBoundedPerNamespaceAndInAll) {
  ApiHarness::Options options;
  options.api.transactions.max_open_per_tenant = 2;
  options.api.transactions.max_open = 3;
  ApiHarness api(std::move(options));
  const auto begin = [&](const std::string& name_space) {
    return api.Send("POST", kStore + "/transactions", {{"Holdfast-Namespace", name_space}});
  };
  const std::string id = begin("team-a").Json().at("id");
  EXPECT_EQ(begin("team-a").status, 201);
  const Answer own = begin("team-a");
  EXPECT_EQ(own.status, 503);
  EXPECT_EQ(own.Header("Retry-After"), "1");
  EXPECT_THAT(own.Detail(), HasSubstr("transactions.open_per_namespace"));
  EXPECT_EQ(begin("team-b").status, 201);
  const Answer all = begin("team-c");
  EXPECT_EQ(all.status, 503);
  EXPECT_EQ(all.Header("Retry-After"), "1");
  EXPECT_THAT(all.Detail(), HasSubstr("transactions.open)"));
  EXPECT_EQ(
      api.Send("POST", kStore + "/transactions/" + id + "?action=rollback", {{"Holdfast-Namespace", "team-a"}}).status,
      204);
  EXPECT_EQ(begin("team-c").status, 201);
  const std::string metrics = api.registry().Serialize();
  EXPECT_THAT(metrics, HasSubstr("holdfast_transactions_open 3"));
  EXPECT_THAT(metrics, HasSubstr("holdfast_transactions_total{result=\"rolled_back\"} 1"));
}

TEST(InteractiveLimitsTest, MemoryWhatOneHoldsIsBounded) {
  ApiHarness::Options options;
  options.api.transactions.session.max_bytes = 100;
  options.api.transactions.session.max_operations = 3;
  options.api.transactions.session.max_savepoints = 1;
  ApiHarness api(std::move(options));
  const std::string id = api.Send("POST", kStore + "/transactions").Json().at("id");
  const HeaderList inside = {{"Holdfast-Transaction", id}};
  const Answer large = api.Send("PUT", kStore + "/keys/a", inside, std::string(200, 'x'));
  EXPECT_EQ(large.status, 413);
  EXPECT_THAT(large.Detail(), HasSubstr("transactions.bytes"));
  for (int i = 0; i < 3; ++i) EXPECT_LT(api.Send("PUT", kStore + "/keys/a", inside, "1").status, 300);
  const Answer many = api.Send("GET", kStore + "/keys/a", inside);
  EXPECT_EQ(many.status, 400);
  EXPECT_THAT(many.Detail(), HasSubstr("transactions.operations"));
  const std::string savepoint = kStore + "/transactions/" + id + "?action=savepoint";
  EXPECT_EQ(api.Send("POST", savepoint).status, 204);
  EXPECT_THAT(api.Send("POST", savepoint).Detail(), HasSubstr("transactions.savepoints"));
  EXPECT_EQ(api.Send("POST", kStore + "/transactions/" + id + "?action=commit").status, 200);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/a").body, "1");
}

// Each key is asked for, inside as outside.
TEST(InteractiveAccessTest, MemoryARuleWithAPrefixHoldsInside) {
  const tenancy::TemporaryFile file(
      "tokens: [{name: orders, token: canary-orders, namespace: team}, {name: other, token: canary-other, namespace: "
      "elsewhere}]\n"
      "rules: [{principals: [orders, other], verbs: [read, write], prefix: orders/}]\n");
  ApiHarness::Options options;
  options.access.mode = tenancy::AuthMode::kTokens;
  options.access.file = file.path();
  options.access.reread_interval = std::chrono::hours{1};
  ApiHarness api(std::move(options));
  HeaderList headers = {{"Authorization", "Bearer canary-orders"}};
  const Answer begun = api.Send("POST", kStore + "/transactions", headers);
  ASSERT_EQ(begun.status, 201) << begun.body;
  const std::string id = begun.Json().at("id");
  const std::string commit = kStore + "/transactions/" + id + "?action=commit";
  EXPECT_EQ(api.Send("POST", commit, {{"Authorization", "Bearer canary-other"}}).status, 404) << "not its namespace";
  const HeaderList outside = headers;
  headers.emplace_back("Holdfast-Transaction", id);
  EXPECT_EQ(api.Send("PUT", kStore + "/keys/orders/1", headers, "1").status, 201);
  EXPECT_EQ(api.Send("PUT", kStore + "/keys/bills/1", headers, "1").status, 403);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/bills/1", headers).status, 403);
  EXPECT_EQ(api.Send("DELETE", kStore + "/keys/orders/1", headers).status, 403) << "no such verb";
  EXPECT_EQ(api.Send("POST", commit, outside).status, 200);
  EXPECT_EQ(api.Send("GET", kStore + "/keys/orders/1", outside).body, "1");
}

}  // namespace
}  // namespace holdfast::api
