// What every route refuses, over the whole route table.
#include <future>

#include "service/api/metrics.h"
#include "service/api/route_table.h"
#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

constexpr const char* kMethods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE"};

std::string PathOf(const Route& route) {
  std::string path(route.pattern);
  if (const auto at = path.find("{store}"); at != std::string::npos) path.replace(at, 7, "main");
  if (const auto at = path.find("{key}"); at != std::string::npos) path.replace(at, 5, "k");
  if (const auto at = path.find("{namespace}"); at != std::string::npos) path.replace(at, 11, "team-a");
  return path;
}

// A query that the endpoint needs to get past its own checks.
std::string NeededQuery(const Endpoint& endpoint) {
  if (endpoint.operation_id == "postKey") return "action=take";
  if (endpoint.operation_id == "deleteKeys") return "prefix=p";
  return "";
}

template <typename Check>
void ForEachEndpoint(const Check& check) {
  for (const Route& route : Routes()) {
    for (const Endpoint& endpoint : route.endpoints) {
      const std::string query = NeededQuery(endpoint);
      check(std::string(MethodName(endpoint.method)), PathOf(route) + (query.empty() ? "" : "?" + query), endpoint);
    }
  }
}

TEST(RefusalTest, MemoryWrongMethodIs405WithAllow) {
  ApiHarness api;
  for (const Route& route : Routes()) {
    std::string allow;
    for (const Endpoint& endpoint : route.endpoints) {
      allow += (allow.empty() ? "" : ", ") + std::string(MethodName(endpoint.method));
    }
    EXPECT_EQ(route.allow, allow) << route.pattern;
    for (const std::string method : kMethods) {
      if (allow.find(method) != std::string::npos) continue;
      const Answer answer = api.Send(method, PathOf(route));
      EXPECT_EQ(answer.status, 405) << method << " " << route.pattern;
      EXPECT_EQ(answer.Header("Allow"), allow) << method << " " << route.pattern;
      EXPECT_EQ(answer.Code(), "invalid_argument");
    }
  }
}

TEST(RefusalTest, MemoryUnknownPathsAndStores) {
  ApiHarness api;
  for (const char* path : {"/", "", "/v1", "/v1/", "/v2/stores", "/v1/stores/", "/v1/stores//keys/k",
                           "/v1/stores/main/", "/v1/stores/main/kyes/k", "/v1/stores/main/count/",
                           "/v1/stores/main/batch/x", "/v1/openapi.json/", "/V1/stores", "*"}) {
    const Answer answer = api.Send("GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.Code(), "not_found") << path;
  }
  for (const char* path :
       {"/v1/stores/mian", "/v1/stores/mian/keys", "/v1/stores/mian/keys/k", "/v1/stores/mian/count"}) {
    const Answer answer = api.Send("GET", path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.Code(), "not_found") << path;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("\"main\"")) << path;
  }
  EXPECT_EQ(api.Send("PUT", "/v1/stores/mian/keys/k", {}, "v").status, 404);
  EXPECT_EQ(api.Send("GET", "/v1/stores/%ff/keys/k").status, 404);
}

TEST(RefusalTest, MemoryUnknownAndDoubleQueryParametersOnEveryRoute) {
  ApiHarness api;
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint& endpoint) {
    const std::string separator = target.find('?') == std::string::npos ? "?" : "&";
    const Answer unknown = api.Send(method, target + separator + "surprise=1");
    EXPECT_EQ(unknown.status, 400) << method << target;
    EXPECT_THAT(unknown.Detail(), testing::HasSubstr("\"surprise\"")) << method << target;
    if (endpoint.query.empty()) return;
    const std::string name(endpoint.query.front().name);
    const Answer twice = api.Send(method, target + separator + name + "=a&" + name + "=a");
    EXPECT_EQ(twice.status, 400) << method << target;
    EXPECT_THAT(twice.Detail(), testing::HasSubstr("twice")) << method << target;
    EXPECT_EQ(api.Send(method, target + separator + name + "=%zz").status, 400) << method << target;
  });
}

TEST(RefusalTest, MemoryUnknownAndRepeatedHeadersOnEveryRoute) {
  ApiHarness api;
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint&) {
    const Answer unknown = api.Send(method, target, {{"Holdfast-TLT", "5"}});
    EXPECT_EQ(unknown.status, 400) << method << target;
    EXPECT_THAT(unknown.Detail(), testing::HasSubstr("Holdfast-TTL")) << method << target;
    EXPECT_EQ(api.Send(method, target, {{"Holdfast-Timeout", "1s"}, {"Holdfast-Timeout", "1s"}}).status, 400);
  });
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/count").Json().at("count"), 0);
}

TEST(RefusalTest, MemoryHeadersThatMeanNothingThereAreRefused) {
  ApiHarness api;
  ForEachEndpoint([&](const std::string& method, const std::string& target, const Endpoint& endpoint) {
    const std::tuple<unsigned, const char*, const char*> rows[] = {
        {1u << 0, "If-Match", "\"1\""},          {1u << 1, "If-None-Match", "*"},
        {1u << 2, "Holdfast-TTL", "1s"},         {1u << 3, "Holdfast-Metadata", "{}"},
        {1u << 4, "Holdfast-Tags", "a"},         {1u << 7, "Holdfast-Fence", "lock=1"},
        {1u << 8, "Holdfast-Transaction", "id"}, {1u << 9, "Idempotency-Key", "a"}};
    for (const auto& [bit, name, value] : rows) {
      if ((endpoint.headers & bit) != 0) continue;
      const Answer answer = api.Send(method, target, {{name, value}});
      EXPECT_EQ(answer.status, 400) << method << target << name;
      EXPECT_THAT(answer.Detail(), testing::HasSubstr(name)) << method << target;
    }
  });
}

TEST(RefusalTest, MemoryTimeouts) {
  ApiHarness api;
  const std::string key = "/v1/stores/main/keys/k";
  for (const char* timeout : {"0", "-1", "abc", "", "6m"}) {
    const Answer answer = api.Send("GET", key, {{"Holdfast-Timeout", timeout}});
    EXPECT_EQ(answer.status, 400) << timeout;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("Holdfast-Timeout"));
  }
  EXPECT_EQ(api.Send("GET", key, {{"Holdfast-Timeout", "5m"}}).status, 404);
  const Answer late = api.Send("GET", "/v1/stores/main/keys", {{"Holdfast-Timeout", "0.000001"}});
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(late.Code(), "deadline_exceeded");
}

TEST(RefusalTest, MemoryMalformedKeysAndPreconditions) {
  ApiHarness api;
  for (const char* path :
       {"/v1/stores/main/keys/%", "/v1/stores/main/keys/%4", "/v1/stores/main/keys/%zz", "/v1/stores/main/keys/"}) {
    for (const char* method : {"GET", "PUT", "DELETE"}) EXPECT_EQ(api.Send(method, path).status, 400) << path;
  }
  const std::string key = "/v1/stores/main/keys/k";
  for (const char* tag : {"7", "W/\"7\"", "\"7\", \"8\"", "\"7"}) {
    const Answer answer = api.Send("PUT", key, {{"If-Match", tag}}, "v");
    EXPECT_EQ(answer.status, 400) << tag;
    EXPECT_THAT(answer.Detail(), testing::HasSubstr("If-Match"));
  }
  EXPECT_EQ(api.Send("PUT", key, {{"If-Match", "\"7\""}, {"If-Match", "\"8\""}}, "v").status, 400);
  EXPECT_EQ(api.Send("PUT", key, {{"If-Match", "*"}, {"If-None-Match", "*"}}, "v").status, 400);
  EXPECT_EQ(api.Send("PUT", key, {{"If-None-Match", "\"7\""}}, "v").status, 400);
  EXPECT_EQ(api.Send("GET", key, {{"If-None-Match", "7"}}).status, 400);
  EXPECT_EQ(api.Send("DELETE", key, {{"If-None-Match", "*"}}).status, 400);
}

TEST(RefusalTest, MemoryMalformedWriteHeaders) {
  ApiHarness api;
  const std::string key = "/v1/stores/main/keys/k";
  const std::pair<std::string, std::string> rows[] = {
      {"Holdfast-TTL", "0"},
      {"Holdfast-TTL", "-5"},
      {"Holdfast-TTL", "soon"},
      {"Holdfast-Metadata", "[]"},
      {"Holdfast-Metadata", "{\"a\":1,\"a\":2}"},
      {"Holdfast-Metadata", "{\"a\":\"" + std::string(4096, 'x') + "\"}"},
      {"Holdfast-Tags", "a,,b"},
      {"Holdfast-Tags", std::string(129, 'a')},
      {"Content-Type", std::string(257, 'a')},
      {"Content-Encoding", "gzip"},
      {"Content-Range", "bytes 0-1/2"},
  };
  for (const auto& [name, value] : rows) {
    const Answer answer = api.Send("PUT", key, {{name, value}}, "v");
    EXPECT_EQ(answer.status, 400) << name << ": " << value;
    EXPECT_EQ(answer.Code(), "invalid_argument") << name << ": " << value;
  }
  EXPECT_EQ(api.Send("PUT", key, {{"Content-Encoding", "identity"}}, "v").status, 201);
}

TEST(RefusalTest, MemoryTraceIdIsTheCallers) {
  ApiHarness api;
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const Answer failed = api.Send("GET", "/v1/stores/main/keys/k", {{"traceparent", trace}});
  EXPECT_EQ(failed.Json().at("trace_id"), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(failed.Header("traceparent"), trace);
  EXPECT_EQ(api.Send("PUT", "/v1/stores/main/keys/k", {{"traceparent", trace}}, "v").Header("traceparent"), trace);
  const Answer malformed = api.Send("GET", "/v1/nothing", {{"traceparent", "garbage"}});
  EXPECT_EQ(malformed.Header("traceparent"), "");
  EXPECT_EQ(malformed.Json().at("trace_id").get<std::string>().size(), 32u);
}

TEST(RefusalTest, MemoryBodyLimitsByRoute) {
  ApiHarness api;
  EXPECT_EQ(api.MaxBodyBytes("PUT", "/v1/stores/main/keys/k"), 10u << 20);
  EXPECT_EQ(api.MaxBodyBytes("PUT", "/v1/stores/unknown/keys/k"), 10u << 20);
  EXPECT_EQ(api.MaxBodyBytes("POST", "/v1/stores/main/batch"), 64u << 20);
  EXPECT_LE(api.MaxBodyBytes("POST", "/v1/stores/main/keys/k?action=increment"), 64u << 10);
  EXPECT_LE(api.MaxBodyBytes("GET", "/v1/stores/main/keys/k"), 64u << 10);
  EXPECT_LE(api.MaxBodyBytes("POST", "/nowhere"), 64u << 10);
}

TEST(RefusalTest, FaultAFullPoolIs503AndNothingIsAttempted) {
  ApiHarness::Options options;
  options.executor.pool_threads = 1;
  options.executor.max_queued_tasks = 1;
  ApiHarness api(options);
  api.Send("PUT", "/v1/stores/main/keys/k", {}, "v");
  std::promise<void> release;
  std::promise<void> started;
  const std::shared_future<void> released = release.get_future().share();
  ASSERT_TRUE(api.executor().Run([&started, released] {
    started.set_value();
    released.wait();
  }));
  started.get_future().wait();
  ASSERT_TRUE(api.executor().Run([released] { released.wait(); }));
  const std::pair<const char*, const char*> rows[] = {{"GET", "/v1/stores/main/keys"},
                                                      {"GET", "/v1/stores/main/count"},
                                                      {"DELETE", "/v1/stores/main/keys?prefix=k"},
                                                      {"GET", "/v1/stores/main"},
                                                      {"GET", "/v1/stores"},
                                                      {"POST", "/v1/stores/main/transaction"}};
  for (const auto& [method, target] : rows) {
    const Answer busy = api.Send(method, target);
    EXPECT_EQ(busy.status, 503) << target;
    EXPECT_EQ(busy.Code(), "unavailable") << target;
    EXPECT_EQ(busy.Header("Retry-After"), "1") << target;
  }
  // Single keys do not go through the pool.
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys/k").status, 200);
  release.set_value();
}

TEST(RefusalTest, FaultAStoreThatIsStoppingIs503) {
  ApiHarness api;
  api.executor().Drain();
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    EXPECT_EQ(api.Send(method, "/v1/stores/main/keys/k", {}, "v").status, 503) << method;
  }
  EXPECT_EQ(api.Send("GET", "/v1/stores/main/keys").status, 503);
  const Answer batch = api.Send("POST", "/v1/stores/main/batch", {}, R"({"operations":[{"op":"get","key":"k"}]})");
  EXPECT_EQ(batch.Json().at("results")[0].at("status"), 503);
}

TEST(RefusalTest, MemoryServersOwnRefusalsAreProblems) {
  ApiHarness api;
  const Response response = api.handler().Refuse(431, "invalid_argument", "too many headers");
  EXPECT_EQ(response.status, 431);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto problem = nlohmann::json::parse(response.body);
  EXPECT_EQ(problem.at("status"), 431);
  EXPECT_EQ(problem.at("detail"), "too many headers");
}

}  // namespace
}  // namespace holdfast::api
