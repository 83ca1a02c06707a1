// What requests leave behind in the audit log.
#include "service/tenancy/sha256.h"
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

using nlohmann::json;

constexpr const char* kKeys = "/v1/stores/main/keys";

class AuditTest : public testing::Test {
 protected:
  AuditTest() : api_(Audited()) {}
  static ApiHarness::Options Audited() {
    ApiHarness::Options options;
    options.audit.on = true;
    return options;
  }
  json Items(const std::string& query = "", const HeaderList& headers = {}) {
    const Answer answer = api_.Send("GET", "/v1/audit" + query, headers);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.Json().at("items");
  }
  // "operation key" of each.
  std::vector<std::string> Lines(const std::string& query = "") {
    std::vector<std::string> lines;
    for (const json& item : Items(query)) {
      std::string line = item.at("operation");
      line.append(" ").append(item.at("key").get<std::string>());
      lines.push_back(std::move(line));
    }
    return lines;
  }
  Answer Send(const std::string& method, const std::string& target, const std::string& body = "",
              const HeaderList& headers = {}) {
    return api_.Send(method, target, headers, body);
  }

  ApiHarness api_;
};

using Expected = std::vector<std::string>;

TEST_F(AuditTest, AWriteWithWhoWhenWhereAndItsDigest) {
  const Answer put = Send("PUT", std::string(kKeys) + "/k", "canary-value",
                          {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
  ASSERT_EQ(put.status, 201);
  const json items = Items();
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0], (json{{"id", 1},
                            {"time", "2023-11-14T22:13:20Z"},
                            {"actor", "anonymous"},
                            {"from", "10.0.0.7"},
                            {"namespace", "default"},
                            {"store", "main"},
                            {"operation", "put"},
                            {"key", "k"},
                            {"etag", put.Header("ETag").substr(1, put.Header("ETag").size() - 2)},
                            {"value", "sha256:" + tenancy::ToHex(tenancy::Sha256("canary-value"))},
                            {"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"}}));
  EXPECT_EQ(items.dump().find("canary"), std::string::npos);
}

TEST_F(AuditTest, OnlyWhatHasChangedSomething) {
  Send("GET", std::string(kKeys) + "/k");
  Send("DELETE", std::string(kKeys) + "/k");
  Send("POST", std::string(kKeys) + "/k?action=take");
  Send("PUT", std::string(kKeys) + "/k", "x", {{"If-Match", "\"7\""}});
  Send("PUT", std::string(kKeys) + "/k", "x", {{"Holdfast-TTL", "0"}});
  Send("DELETE", kKeys);
  EXPECT_EQ(Lines(), Expected{});
  Send("POST", std::string(kKeys) + "/n?action=increment");
  Send("POST", std::string(kKeys) + "/n?action=touch", "", {{"Holdfast-TTL", "5s"}});
  Send("POST", std::string(kKeys) + "/n?action=take");
  Send("DELETE", std::string(kKeys) + "?prefix=p");
  Send("PUT", "/v1/namespaces/default", R"({"keys":100})");
  EXPECT_EQ(Lines(), (Expected{"increment n", "touch n", "take n", "deleteKeys p", "putNamespace "}));
}

TEST_F(AuditTest, BatchesAndTransactionsByKey) {
  Send("POST", "/v1/stores/main/batch",
       R"({"operations":[{"op":"put","key":"a","value":"1"},{"op":"get","key":"a"},{"op":"delete","key":"missing"},
           {"op":"put","key":"b","value":"1","if_match":"7"},{"op":"delete","key":"a"}]})");
  EXPECT_EQ(Lines(), (Expected{"put a", "delete a"}));
  Send("POST", "/v1/stores/main/transaction",
       R"({"then":[{"op":"put","key":"c","value":"1"},{"op":"put","key":"d","value":"1","if_match":"7"}]})");
  EXPECT_EQ(Lines(), (Expected{"put a", "delete a"}));
  Send(
      "POST", "/v1/stores/main/transaction",
      R"({"if":[{"key":"c","exists":true}],"then":[{"op":"delete","key":"c"}],"else":[{"op":"put","key":"e","value":"1"}]})");
  EXPECT_EQ(Lines("?key=e"), (Expected{"put e"}));
  EXPECT_EQ(Lines().size(), 3u);
}

TEST_F(AuditTest, WithinOneNamespaceAndPageByPage) {
  for (int i = 0; i < 7; ++i) {
    Send("PUT", std::string(kKeys) + "/k" + std::to_string(i), "x");
    Send("PUT", std::string(kKeys) + "/other", "x", {{"Holdfast-Namespace", "team-b"}});
  }
  EXPECT_EQ(Items("", {{"Holdfast-Namespace", "team-b"}}).size(), 7u);
  std::string cursor;
  std::vector<std::string> keys;
  for (bool complete = false; !complete;) {
    const json page = Send("GET", "/v1/audit?limit=3&cursor=" + cursor).Json();
    for (const json& item : page.at("items")) keys.push_back(item.at("key"));
    cursor = page.at("cursor");
    complete = page.at("complete");
  }
  EXPECT_EQ(keys, (Expected{"k0", "k1", "k2", "k3", "k4", "k5", "k6"}));
  // A cursor of another list or tenant.
  EXPECT_EQ(Send("GET", "/v1/audit?actor=x&cursor=" + cursor).status, 400);
  EXPECT_EQ(Send("GET", "/v1/audit?cursor=" + cursor, "", {{"Holdfast-Namespace", "team-b"}}).status, 400);
  EXPECT_EQ(Send("GET", "/v1/audit?since=yesterday").status, 400);
  EXPECT_EQ(Send("GET", "/v1/audit?limit=1001").status, 400);
  EXPECT_EQ(Lines("?since=2023-11-14T22:13:21Z"), Expected{});
  EXPECT_EQ(Lines("?actor=anonymous").size(), 7u);
  EXPECT_EQ(Lines("?actor=anna"), Expected{});
}

TEST(AuditOffTest, ThereIsNoLogToAskFor) {
  ApiHarness api;
  EXPECT_EQ(api.Send("GET", "/v1/audit").status, 501);
}

TEST_F(AuditTest, ADocumentAndItsDigestAndOnlyWhatHasChanged) {
  const std::string collection = "/v1/stores/main/collections/incidents";
  ASSERT_EQ(Send("PUT", collection, R"({"indexes":["severity"]})").status, 201);
  const std::string text = R"({"severity":"canary-value"})";
  const Answer put = Send("PUT", collection + "/documents/1", text);
  ASSERT_EQ(put.status, 201);
  EXPECT_EQ(Send("PUT", collection + "/documents/1", text, {{"If-None-Match", "*"}}).status, 412);
  EXPECT_EQ(Send("DELETE", collection + "/documents/absent").status, 204);
  EXPECT_EQ(Send("DELETE", collection + "/documents/1").status, 204);
  EXPECT_EQ(Send("PUT", "/v1/stores/main/collections/none/documents/1", text).status, 404);
  EXPECT_EQ(Lines(), (Expected{"putCollection incidents/", "putDocument incidents/1", "deleteDocument incidents/1"}));
  const json items = Items();
  EXPECT_EQ(items[1].value("value", ""), "sha256:" + tenancy::ToHex(tenancy::Sha256(text)));
  EXPECT_EQ(put.Header("ETag").find(items[1].value("etag", "none")), 1u);
  EXPECT_EQ(items.dump().find("canary"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::api
