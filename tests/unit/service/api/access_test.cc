// Who gets in and what they may do there, over the whole route table.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "service/api/metrics.h"
#include "service/api/route_table.h"
#include "tests/unit/service/api/api_harness.h"
#include "tests/unit/service/tenancy/temporary_file.h"

namespace holdfast::api {
namespace {

using tenancy::TemporaryFile;
using tenancy::Verb;

constexpr const char* kServiceAccount = "aaaa.bbbb.cccc";
constexpr const char* kUnreviewable = "aaaa.bbbb.down";
constexpr const char* kKey = "/v1/stores/main/keys/orders/1";

// One caller for each verb, in its own namespace team-a, and some for the other cases.
std::string AccessFile() {
  std::string tokens = "tokens:\n";
  std::string rules = "rules:\n";
  for (std::size_t i = 0; i < tenancy::kVerbs; ++i) {
    const std::string name(tenancy::VerbName(static_cast<Verb>(i)));
    tokens += fmt::format("  - {{name: {0}, token: canary-{0}, namespace: team-a}}\n", name);
    rules += fmt::format("  - {{principals: [{0}], verbs: [{0}]}}\n", name);
  }
  tokens +=
      "  - {name: all, token: canary-all, namespace: team-a}\n"
      "  - {name: nobody, token: canary-nobody, namespace: team-a}\n"
      "  - {name: expired, token: canary-expired, expires_at: \"2020-01-01T00:00:00Z\"}\n"
      "  - {name: orders, token: canary-orders, namespace: team-a}\n"
      "  - {name: cert, certificate: spiffe://x/cert, namespace: team-a}\n";
  rules +=
      "  - {principals: [all, expired, cert], verbs: [read, write, delete, list, lock, publish, watch, admin]}\n"
      "  - {principals: [orders], verbs: [read, write, delete, list], stores: [main], prefix: orders/}\n"
      "  - {principals: [\"system:serviceaccount:team-a:*\"], verbs: [read, write]}\n";
  return tokens + rules;
}

std::string PathOf(const Route& route) {
  std::string path(route.pattern);
  const std::pair<std::string_view, std::string_view> parts[] = {
      {"{store}", "main"}, {"{key}", "orders/1"}, {"{namespace}", "team-a"}};
  for (const auto& [name, value] : parts) {
    if (const auto at = path.find(name); at != std::string::npos) path.replace(at, name.size(), value);
  }
  // What other routes call what they are about.
  while (path.find('{') != std::string::npos) path.replace(path.find('{'), path.find('}') - path.find('{') + 1, "x");
  return path;
}

class AccessTest : public testing::Test {
 protected:
  AccessTest() : file_(AccessFile()) {
    ApiHarness::Options options;
    options.access.mode = tenancy::AuthMode::kBoth;
    options.access.file = file_.path();
    options.access.reread_interval = std::chrono::hours{1};
    options.review = [](const std::string& token, Deadline) -> Result<tenancy::PrincipalPtr> {
      if (token == kUnreviewable) return Error(ErrorCode::kUnavailable, "connection refused");
      if (token != kServiceAccount) return tenancy::PrincipalPtr();
      return std::make_shared<const tenancy::Principal>(
          tenancy::Principal{"system:serviceaccount:team-a:web", "team-a", {}});
    };
    api_ = std::make_unique<ApiHarness>(options);
  }

  static HeaderList As(const std::string& name) { return {{"Authorization", "Bearer canary-" + name}}; }
  static HeaderList AsIn(const std::string& name, const std::string& name_space) {
    HeaderList headers = As(name);
    headers.emplace_back("Holdfast-Namespace", name_space);
    return headers;
  }
  Answer Send(const std::string& method, const std::string& target, const HeaderList& headers,
              const std::string& body = "") {
    return api_->Send(method, target, headers, body);
  }
  int StatusOf(const std::string& method, const std::string& target, const std::string& name,
               const std::string& body = "") {
    return Send(method, target, As(name), body).status;
  }

  TemporaryFile file_;
  std::unique_ptr<ApiHarness> api_;
};

template <typename Check>
void ForEachEndpoint(const Check& check) {
  for (const Route& route : Routes()) {
    for (const Endpoint& endpoint : route.endpoints) {
      check(std::string(MethodName(endpoint.method)), PathOf(route), endpoint);
    }
  }
}

TEST_F(AccessTest, EveryRouteRefusesWhoIsNotKnown) {
  const HeaderList cases[] = {
      {},
      {{"Authorization", ""}},
      {{"Authorization", "Bearer"}},
      {{"Authorization", "Bearer "}},
      {{"Authorization", "Bearer canary-wrong"}},
      {{"Authorization", "Bearer canary-expired"}},
      {{"Authorization", "Bearer canary-all x"}},
      {{"Authorization", "Basic canary-all"}},
      {{"Authorization", "canary-all"}},
      {{"Authorization", "Bearer eyJhbGciOiJub25lIn0.e30."}},  // alg=none: no signature
      {{"Authorization", "Bearer aaaa.bbbb.wrong"}},
      {{"Authorization", "Bearer canary-all"}, {"authorization", "Bearer canary-all"}},
      {{"Authorization", "Bearer canary-wrong"}, {"Authorization", "Bearer canary-all"}},
      {{"Authorization", "Bearer " + std::string(9'000, 'x')}},
      {{"X-Authorization", "Bearer canary-all"}},
  };
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint&) {
    for (const HeaderList& headers : cases) {
      const Answer answer = Send(method, target, headers);
      EXPECT_EQ(answer.status, 401) << method << target;
      EXPECT_EQ(answer.Code(), "unauthenticated") << method << target;
      EXPECT_EQ(answer.Header("WWW-Authenticate"), "Bearer");
      EXPECT_THAT(answer.body, testing::Not(testing::HasSubstr("canary")));
    }
  });
}

// Nor does anything that is no route tell a stranger so.
TEST_F(AccessTest, UnknownRoutesMethodsAndStoresTellAStrangerNothing) {
  for (const char* target : {"/", "/v2", "/v1/stores/nowhere/keys/k", "/v1/stores/main/keys/k?unknown=1",
                             "/v1/stores/main/keys//k", "/V1/stores", "/v1/stores/main%2fkeys%2fk", "/v1//stores"}) {
    for (const char* method : {"GET", "PUT", "PATCH", "TRACE"}) {
      EXPECT_EQ(Send(method, target, {}).status, 401) << method << target;
      EXPECT_EQ(Send(method, target, {{"X-HTTP-Method-Override", "GET"}}).status, 401) << method << target;
    }
  }
}

TEST_F(AccessTest, EveryRouteRefusesWhomNoRuleAllows) {
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint& endpoint) {
    const int status = StatusOf(method, target, "nobody");
    EXPECT_EQ(status, endpoint.access.anybody() ? 200 : 403) << method << target;
  });
}

// Each route for each verb: only the one it names opens it, and none alone where it names two. Which status comes then
// is not asked here.
TEST_F(AccessTest, EveryRouteIsOpenedByItsOwnVerbOnly) {
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint& endpoint) {
    if (!endpoint.access.verb()) return;
    // Every namespace is in it, and these rules are of one each.
    const bool of_all = endpoint.pattern.find("/checkpoints") != std::string_view::npos ||
                        endpoint.pattern.find("/backup") != std::string_view::npos ||
                        endpoint.pattern.ends_with("/snapshot");
    for (std::size_t i = 0; i < tenancy::kVerbs; ++i) {
      const auto verb = static_cast<Verb>(i);
      const int status = StatusOf(method, target, std::string(tenancy::VerbName(verb)));
      if (verb == *endpoint.access.verb() && !endpoint.access.also() && !of_all) {
        EXPECT_TRUE(status != 401 && status != 403) << method << target << " " << tenancy::VerbName(verb);
      } else {
        EXPECT_EQ(status, 403) << method << target << " " << tenancy::VerbName(verb);
      }
    }
  });
}

TEST_F(AccessTest, EveryRouteRefusesAnotherTenantsNamespace) {
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint& endpoint) {
    if (endpoint.access.anybody()) return;
    const bool in_path = endpoint.pattern.find("{namespace}") != std::string_view::npos;
    const std::string there = in_path ? "/v1/namespaces/team-b" : target;
    const Answer answer = Send(method, there, AsIn("all", "team-b"));
    EXPECT_EQ(answer.status, 403) << method << there;
    EXPECT_EQ(answer.Code(), "forbidden");
  });
}

TEST_F(AccessTest, PathTricksLeadToNoOtherStore) {
  for (const char* target : {"/v1/stores/other/keys/orders/1", "/v1/stores/MAIN/keys/orders/1",
                             "/v1/stores/main%00/keys/orders/1", "/v1/stores/../main/keys/orders/1"}) {
    const int status = StatusOf("GET", target, "orders");
    EXPECT_TRUE(status == 403 || status == 404) << target << " " << status;
  }
  // Another name of the same store is the same store.
  EXPECT_EQ(StatusOf("PUT", "/v1/stores/_default/keys/orders/1", "orders"), 201);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/%6dain/keys/orders/1", "orders"), 200);
}

TEST_F(AccessTest, PrefixesHoldForKeysAndLists) {
  EXPECT_EQ(StatusOf("PUT", kKey, "orders", "x"), 201);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys/orders%2f1", "orders"), 200);
  EXPECT_EQ(StatusOf("PUT", "/v1/stores/main/keys/order", "orders", "x"), 403);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys/orders/../secret", "orders"), 404);  // an ordinary key
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys", "orders"), 403);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?prefix=order", "orders"), 403);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?prefix=orders/", "orders"), 200);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?prefix=orders%2f1", "orders"), 200);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/count", "orders"), 403);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/count?prefix=orders/", "orders"), 200);
  EXPECT_EQ(StatusOf("DELETE", "/v1/stores/main/keys?prefix=&confirm=all", "orders"), 403);
  EXPECT_EQ(StatusOf("DELETE", "/v1/stores/main/keys?prefix=orders/", "orders"), 200);
}

TEST_F(AccessTest, ToListIsNotToRead) {
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?values=false", "list"), 200);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?values=true", "list"), 403);
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys?values=true", "all"), 200);
}

// The same answer whether the key is there or not.
TEST_F(AccessTest, ARefusalTellsNothingOfTheKey) {
  ASSERT_EQ(StatusOf("PUT", "/v1/stores/main/keys/there", "all", "x"), 201);
  for (const char* name : {"nobody", "orders", "list"}) {
    Answer there = Send("GET", "/v1/stores/main/keys/there", As(name));
    Answer missing = Send("GET", "/v1/stores/main/keys/missing", As(name));
    EXPECT_EQ(there.status, 403);
    EXPECT_EQ(missing.status, 403);
    EXPECT_EQ(there.Detail(), missing.Detail());
    EXPECT_EQ(there.headers, missing.headers);
  }
}

TEST_F(AccessTest, ActionsOfAKeyByWhatTheyDo) {
  struct Row {
    const char* action;
    std::vector<std::string> enough;
  };
  for (const auto& [action, may] :
       {Row{"increment", {"write", "all"}}, Row{"touch", {"write", "all"}}, Row{"take", {"all"}}}) {
    for (const char* name : {"read", "write", "delete", "list", "all"}) {
      const bool allowed = std::find(may.begin(), may.end(), name) != may.end();
      const std::string target = fmt::format("/v1/stores/main/keys/n?action={}", action);
      HeaderList headers = As(name);
      if (std::string_view(action) == "touch") headers.emplace_back("Holdfast-TTL", "5s");
      EXPECT_EQ(Send("POST", target, headers).status != 403, allowed) << action << " " << name;
    }
  }
}

TEST_F(AccessTest, EveryKeyOfABatchIsAskedFor) {
  const std::string batch = "/v1/stores/main/batch";
  const auto with = [](const std::string& operation) {
    return fmt::format(R"({{"operations":[{{"op":"put","key":"orders/2","value":"x"}},{}]}})", operation);
  };
  for (const char* operation : {R"({"op":"get","key":"secret"})", R"({"op":"put","key":"order","value":"x"})",
                                R"({"op":"delete","key":"secret"})", R"({"op":"take","key":"secret"})",
                                R"({"op":"touch","key":"secret","ttl":"5s"})", R"({"op":"increment","key":"secret"})",
                                R"({"op":"get","key":"c2VjcmV0","encoding":"base64"})"}) {
    EXPECT_EQ(StatusOf("POST", batch, "orders", with(operation)), 403) << operation;
  }
  // Nothing of a refused one was done.
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys/orders/2", "orders"), 404);
  EXPECT_EQ(StatusOf("POST", batch, "orders", with(R"({"op":"get","key":"orders/2"})")), 200);
  EXPECT_EQ(StatusOf("POST", batch, "read", with(R"({"op":"get","key":"orders/2"})")), 403);
  EXPECT_EQ(StatusOf("POST", batch, "read", R"({"operations":[{"op":"get","key":"orders/2"}]})"), 200);
}

TEST_F(AccessTest, EveryKeyOfATransactionIsAskedFor) {
  const std::string transaction = "/v1/stores/main/transaction";
  for (const char* body :
       {R"({"if":[{"key":"secret","exists":true}],"then":[{"op":"put","key":"orders/3","value":"x"}]})",
        R"({"then":[{"op":"put","key":"orders/3","value":"x"},{"op":"get","key":"secret"}]})",
        R"({"then":[{"op":"put","key":"orders/3","value":"x"}],"else":[{"op":"delete","key":"secret"}]})"}) {
    EXPECT_EQ(StatusOf("POST", transaction, "orders", body), 403) << body;
  }
  EXPECT_EQ(StatusOf("GET", "/v1/stores/main/keys/orders/3", "orders"), 404);
  const std::string good =
      R"({"if":[{"key":"orders/3","exists":false}],"then":[{"op":"put","key":"orders/3","value":"x"}]})";
  EXPECT_EQ(StatusOf("POST", transaction, "write", good), 403);  // the condition reads
  EXPECT_EQ(StatusOf("POST", transaction, "orders", good), 200);
}

TEST_F(AccessTest, TheNamespaceIsTheCallersOwn) {
  ASSERT_EQ(StatusOf("PUT", kKey, "all", "x"), 201);
  EXPECT_EQ(Send("GET", kKey, AsIn("all", "team-a")).status, 200);
  EXPECT_EQ(Send("GET", kKey, AsIn("all", "default")).status, 403);
  EXPECT_EQ(Send("GET", kKey, AsIn("all", "Team_A")).status, 400);
}

TEST_F(AccessTest, ServiceAccountsAreReviewedOffTheThread) {
  const HeaderList headers = {{"Authorization", std::string("bearer ") + kServiceAccount}};
  EXPECT_EQ(Send("PUT", kKey, headers, "x").status, 201);
  EXPECT_EQ(Send("GET", kKey, headers).body, "x");
  EXPECT_EQ(Send("DELETE", kKey, headers).status, 403);
  const Answer outage = Send("GET", kKey, {{"Authorization", std::string("Bearer ") + kUnreviewable}});
  EXPECT_EQ(outage.status, 503);
  EXPECT_EQ(outage.Code(), "unavailable");
  EXPECT_FALSE(outage.Header("Retry-After").empty());
}

TEST_F(AccessTest, RulesThatChangeCountForTheNextRequest) {
  ASSERT_EQ(StatusOf("PUT", kKey, "all", "x"), 201);
  file_.Write("tokens: [{name: all, token: canary-all, namespace: team-a}]");
  api_->tenancy().access->Reread();
  EXPECT_EQ(StatusOf("GET", kKey, "all"), 403);
  EXPECT_EQ(StatusOf("GET", kKey, "read"), 401);
}

TEST_F(AccessTest, NoTokenInTheMetrics) {
  for (const char* name : {"all", "nobody", "wrong", "expired"}) StatusOf("GET", kKey, name);
  EXPECT_THAT(api_->registry().Serialize(), testing::Not(testing::HasSubstr("canary")));
}

// Off, a token is neither asked for nor looked at.
TEST(OpenAccessTest, WithoutAuthenticationEverybodyIsInDefault) {
  ApiHarness api;
  EXPECT_EQ(api.Send("PUT", kKey, {{"Authorization", "Bearer whatever"}}, "x").status, 201);
  EXPECT_EQ(api.Send("GET", kKey).status, 200);
  EXPECT_EQ(api.Send("GET", kKey, {{"Holdfast-Namespace", "default"}}).status, 200);
  EXPECT_EQ(api.Send("GET", kKey, {{"Holdfast-Namespace", "team-a"}}).status, 404);
}

}  // namespace
}  // namespace holdfast::api
