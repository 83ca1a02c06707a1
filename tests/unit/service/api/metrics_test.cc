#include "service/api/metrics.h"

#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

TEST(MetricsTest, MemoryCountsRequestsByRouteMethodAndCode) {
  ApiHarness api;
  api.Send("PUT", "/v1/stores/main/keys/a", {}, "v");
  api.Send("GET", "/v1/stores/main/keys/a");
  api.Send("GET", "/v1/stores/main/keys/a");
  api.Send("GET", "/v1/stores/main/keys/b");
  api.Send("PATCH", "/v1/stores/main/keys/b");
  api.Send("GET", "/nowhere");
  api.Send("EVIL-METHOD-1", "/nowhere");
  api.Send("EVIL-METHOD-2", "/nowhere");
  const auto count = [&](const char* route, const char* method, const char* code) {
    return api.registry()
        .GetCounter("holdfast_http_requests_total", "Requests answered, by route, method and status code.",
                    {{"route", route}, {"method", method}, {"code", code}})
        .Value();
  };
  EXPECT_EQ(count("/v1/stores/{store}/keys/{key}", "PUT", "201"), 1);
  EXPECT_EQ(count("/v1/stores/{store}/keys/{key}", "GET", "200"), 2);
  EXPECT_EQ(count("/v1/stores/{store}/keys/{key}", "GET", "404"), 1);
  EXPECT_EQ(count("/v1/stores/{store}/keys/{key}", "PATCH", "405"), 1);
  EXPECT_EQ(count("none", "GET", "404"), 1);
  EXPECT_EQ(count("none", "other", "404"), 2);
}

}  // namespace
}  // namespace holdfast::api
