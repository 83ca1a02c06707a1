// The API over the wire, the same cases on both backends.
#include <fmt/format.h>

#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

using nlohmann::json;

const std::string kKeys = "/v1/stores/main/keys";

class ApiTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(ApiTest);

std::string Header(const http::ClientResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? std::string() : found->second;
}

TEST_P(ApiTest, WritesReadsAndDeletes) {
  Service service = Start();
  const std::string key = "/v1/stores/_default/keys/greeting";
  const auto created = service.Send("PUT", key, {{"Content-Type", "text/plain"}}, "hello");
  EXPECT_EQ(created.status, 201);
  const auto read = service.Send("GET", key);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, "hello");
  EXPECT_EQ(Header(read, "Content-Type"), "text/plain");
  EXPECT_EQ(Header(read, "ETag"), Header(created, "ETag"));
  const auto head = service.Send("HEAD", key);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(Header(head, "Content-Length"), "5");
  EXPECT_EQ(service.Send("PUT", key, {}, "hi").status, 204);
  EXPECT_EQ(service.Send("DELETE", key).status, 204);
  EXPECT_EQ(service.Send("DELETE", key).status, 204);
  EXPECT_EQ(service.Send("GET", key).status, 404);
  EXPECT_EQ(service.Send("HEAD", key).status, 404);
}

TEST_P(ApiTest, Preconditions) {
  Service service = Start();
  const std::string key = kKeys + "/k";
  const auto created = service.Send("PUT", key, {{"If-None-Match", "*"}}, "1");
  EXPECT_EQ(created.status, 201);
  const std::string tag = Header(created, "ETag");
  const auto again = service.Send("PUT", key, {{"If-None-Match", "*"}}, "2");
  EXPECT_EQ(again.status, 412);
  EXPECT_EQ(Header(again, "ETag"), tag);
  EXPECT_EQ(service.Send("GET", key, {{"If-None-Match", tag}}).status, 304);
  EXPECT_EQ(service.Send("PUT", key, {{"If-Match", tag}}, "2").status, 204);
  EXPECT_EQ(service.Send("PUT", key, {{"If-Match", tag}}, "3").status, 412);
  EXPECT_EQ(service.Send("DELETE", key, {{"If-Match", tag}}).status, 412);
  EXPECT_EQ(service.Send("GET", key).body, "2");
  EXPECT_EQ(service.Send("DELETE", kKeys + "/absent", {{"If-Match", "*"}}).status, 412);
}

TEST_P(ApiTest, VersionsIncreaseAcrossDelete) {
  Service service = Start();
  std::string last = "\"0\"";
  for (int round = 0; round < 5; ++round) {
    const std::string tag = Header(service.Send("PUT", kKeys + "/k", {}, "v"), "ETag");
    EXPECT_GT(std::stoull(tag.substr(1)), std::stoull(last.substr(1)));
    last = tag;
    service.Send("DELETE", kKeys + "/k");
  }
}

TEST_P(ApiTest, ExpiresByItself) {
  Service service = Start();
  const auto put = service.Send("PUT", kKeys + "/k", {{"Holdfast-TTL", "300ms"}}, "v");
  EXPECT_NE(Header(put, "Holdfast-Expires-At"), "");
  const Deadline deadline = Deadline::After(std::chrono::seconds{60});
  while (service.Send("GET", kKeys + "/k").status == 200 && !deadline.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(service.Send("GET", kKeys + "/k").status, 404);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), 0);
}

TEST_P(ApiTest, MetadataComesBack) {
  Service service = Start();
  service.Send("PUT", kKeys + "/k", {{"Holdfast-Metadata", R"({"source":"kafka"})"}, {"Holdfast-Tags", "a,b"}}, "v");
  const auto read = service.Send("GET", kKeys + "/k");
  EXPECT_EQ(Header(read, "Holdfast-Metadata"), R"({"source":"kafka"})");
  EXPECT_EQ(Header(read, "Holdfast-Tags"), "a,b");
}

TEST_P(ApiTest, KeysAreRawBytes) {
  Service service = Start();
  const std::vector<std::string> spellings = {"window:123", "a/b/c", "a//b",   "../x",
                                              "..",         "a+b",   "%00%ff", "caf%C3%A9"};
  const RawSocket socket(service.port());
  for (const std::string& spelling : spellings) {
    socket.Send(fmt::format("PUT {}/{} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", kKeys, spelling,
                            spelling.size(), spelling));
    EXPECT_THAT(socket.ReadUntil("\r\n\r\n"), testing::StartsWith("HTTP/1.1 201 ")) << spelling;
  }
  for (const std::string& spelling : spellings) {
    socket.Send(fmt::format("GET {}/{} HTTP/1.1\r\nHost: x\r\n\r\n", kKeys, spelling));
    EXPECT_THAT(socket.ReadUntil("\r\n\r\n" + spelling), testing::EndsWith("\r\n\r\n" + spelling));
  }
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), spellings.size());
}

TEST_P(ApiTest, PagesInByteOrder) {
  Service service = Start();
  for (int i = 0; i < 25; ++i) service.Send("PUT", fmt::format("{}/k{:02}", kKeys, i), {}, "v");
  service.Send("PUT", kKeys + "/other", {}, "v");
  std::vector<std::string> seen;
  std::string cursor;
  for (int pages = 0; pages < 10; ++pages) {
    const json page = service.Json("GET", kKeys + "?prefix=k&limit=7&values=true&cursor=" + cursor);
    for (const json& item : page.at("items")) seen.push_back(item.at("key"));
    cursor = page.at("cursor");
    if (page.at("complete").get<bool>()) break;
  }
  ASSERT_EQ(seen.size(), 25u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(service.Json("GET", kKeys + "?order=desc&limit=1").at("items")[0].at("key"), "other");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=k").at("count"), 25);
  EXPECT_EQ(service.Json("DELETE", kKeys + "?prefix=k").at("deleted"), 25);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), 1);
  EXPECT_EQ(service.Send("DELETE", kKeys + "?prefix=").status, 400);
  EXPECT_EQ(service.Json("DELETE", kKeys + "?prefix=&confirm=all").at("deleted"), 1);
}

TEST_P(ApiTest, Batches) {
  Service service = Start();
  const json answer = service.Json("POST", "/v1/stores/main/batch", R"({"operations":[
      {"op":"put","key":"a","value":"1"},{"op":"increment","key":"a","by":41},{"op":"get","key":"a"},
      {"op":"touch","key":"a","ttl":"1h"},{"op":"put","key":"AP8=","value":"/w==","encoding":"base64"},
      {"op":"take","key":"a","if_match":"1"},{"op":"take","key":"a"},{"op":"delete","key":"a"}]})");
  std::vector<int> statuses;
  for (const json& result : answer.at("results")) statuses.push_back(result.at("status"));
  EXPECT_THAT(statuses, testing::ElementsAre(201, 200, 200, 204, 201, 412, 200, 204));
  EXPECT_EQ(answer.at("results")[2].at("value"), "42");
  EXPECT_EQ(service.Json("GET", kKeys).at("items")[0].at("encoding"), "base64");
}

// Large bodies are read on the store's pool rather than where the network is read.
TEST_P(ApiTest, BatchesOfTenThousand) {
  Service service = Start();
  json operations = json::array();
  for (int i = 0; i < 10'000; ++i) {
    operations.push_back({{"op", "put"}, {"key", fmt::format("{:05}", i)}, {"value", std::string(100, 'x')}});
  }
  const json answer = service.Json("POST", "/v1/stores/main/batch", json{{"operations", operations}}.dump());
  ASSERT_EQ(answer.at("results").size(), 10'000u);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), 10'000);
}

TEST_P(ApiTest, TransactionsAreAllOrNothing) {
  Service service = Start();
  const std::string body = R"({"if":[{"key":"a","exists":false}],
      "then":[{"op":"put","key":"a","value":"1"},{"op":"put","key":"b","value":"2"}]})";
  EXPECT_EQ(service.Json("POST", "/v1/stores/main/transaction", body).at("committed"), true);
  EXPECT_EQ(service.Json("POST", "/v1/stores/main/transaction", body).at("committed"), false);
  EXPECT_EQ(service.Send("GET", kKeys + "/b").body, "2");
}

TEST_P(ApiTest, ActionsOnOneKey) {
  Service service = Start();
  EXPECT_EQ(service.Send("POST", kKeys + "/n?action=increment", {}, R"({"by":5})").body, R"({"value":5})");
  EXPECT_EQ(service.Send("POST", kKeys + "/n?action=touch", {{"Holdfast-TTL", "1h"}}).status, 204);
  const auto taken = service.Send("POST", kKeys + "/n?action=take");
  EXPECT_EQ(taken.body, "5");
  EXPECT_NE(Header(taken, "Holdfast-Expires-At"), "");
  EXPECT_EQ(service.Send("POST", kKeys + "/n?action=take").status, 404);
}

TEST_P(ApiTest, ValueSizes) {
  Service service = Start("limits: {value: 1Mi}\n");
  const std::string largest(1 << 20, 'x');
  EXPECT_EQ(service.Send("PUT", kKeys + "/k", {}, largest).status, 201);
  EXPECT_EQ(service.Send("GET", kKeys + "/k").body, largest);
  const auto refused = service.Send("PUT", kKeys + "/k", {}, largest + "x");
  EXPECT_EQ(refused.status, 413);
  EXPECT_THAT(refused.body, testing::HasSubstr("1048576"));
  EXPECT_EQ(json::parse(refused.body).at("code"), "too_large");
}

TEST_P(ApiTest, RefusalsAreProblems) {
  Service service = Start();
  const std::tuple<const char*, std::string, http::Headers, int, const char*> rows[] = {
      {"GET", "/v1/stores/nope/keys/k", {}, 404, "not_found"},
      {"GET", "/v2", {}, 404, "not_found"},
      {"PATCH", kKeys + "/k", {}, 405, "invalid_argument"},
      {"GET", kKeys + "?lmit=5", {}, 400, "invalid_argument"},
      {"GET", kKeys + "?limit=5&limit=6", {}, 400, "invalid_argument"},
      {"GET", kKeys + "?cursor=garbage", {}, 400, "invalid_argument"},
      {"GET", kKeys + "?filter=a", {}, 400, "invalid_argument"},
      {"GET", kKeys + "/" + std::string(513, 'k'), {}, 400, "invalid_argument"},
      {"PUT", kKeys + "/k", {{"Holdfast-TTL", "0"}}, 400, "invalid_argument"},
      {"PUT", kKeys + "/k", {{"Holdfast-Namespace", "A"}}, 400, "invalid_argument"},
      {"PUT", kKeys + "/k", {{"Idempotency-Key", "a"}}, 400, "invalid_argument"},
      {"GET", "/v1/namespaces/Team_A", {}, 400, "invalid_argument"},
      {"GET", "/v1/audit", {}, 501, "not_supported"},
  };
  for (const auto& [method, target, headers, status, code] : rows) {
    const auto answer = service.Send(method, target, headers);
    EXPECT_EQ(answer.status, status) << target;
    EXPECT_EQ(Header(answer, "Content-Type"), "application/problem+json") << target;
    EXPECT_EQ(json::parse(answer.body).at("code"), code) << target;
    EXPECT_THAT(answer.body, testing::Not(testing::HasSubstr("canary"))) << target;
  }
  EXPECT_EQ(Header(service.Send("PATCH", kKeys), "Allow"), "GET, DELETE");
  EXPECT_THAT(service.process().Errors(), testing::Not(testing::HasSubstr("canary")));
}

TEST_P(ApiTest, TraceparentIsHonoured) {
  Service service = Start();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto answer = service.Send("GET", kKeys + "/absent", {{"traceparent", trace}});
  EXPECT_EQ(Header(answer, "traceparent"), trace);
  EXPECT_EQ(json::parse(answer.body).at("trace_id"), "0af7651916cd43dd8448eb211c80319c");
}

}  // namespace
}  // namespace holdfast
