// What one instance does over Redis.
#include <fmt/format.h>

#include "tests/integration/redis/redis_service.h"

namespace holdfast {
namespace {

using RedisServing = RedisServiceTest;

TEST_F(RedisServing, redis_serves_keys_batches_and_counts) {
  Service service = Start(first_folder_, ", durable: true");
  const auto created = service.Send("PUT", KeyPath("a"), {{"Holdfast-TTL", "1h"}}, "value");
  ASSERT_EQ(created.status, 201) << created.body;
  const auto read = service.Send("GET", KeyPath("a"));
  EXPECT_EQ(read.body, "value");
  EXPECT_EQ(read.headers.at("etag"), created.headers.at("etag"));
  EXPECT_EQ(service.Send("PUT", KeyPath("a"), {{"If-Match", "\"1\""}}, "x").status, 412);
  EXPECT_EQ(service.Send("PUT", KeyPath("a"), {{"If-Match", created.headers.at("etag")}}, "x").status, 204);
  EXPECT_EQ(service.Send("PUT", KeyPath("a"), {{"If-None-Match", "*"}}, "y").status, 412);
  const nlohmann::json batch = service.Json(
      "POST", "/v1/stores/main/batch",
      R"({"operations":[{"op":"put","key":"b","value":"1"},{"op":"increment","key":"b","by":4},{"op":"get","key":"b"}]})");
  EXPECT_EQ(batch.at("results").at(2).at("value"), "5");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 2);
  const nlohmann::json store = service.Json("GET", "/v1/stores/main");
  EXPECT_EQ(store.at("kind"), "redis");
  EXPECT_EQ(store.at("durability"), "sync");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), true);
  EXPECT_EQ(store.at("capabilities").at("fencing_survives_failover"), false);
  EXPECT_EQ(store.at("statistics").at("entries"), 2);
  const std::string metrics = service.Admin("/metrics").body;
  for (const char* name : {"holdfast_pool_connections{backend=\"local\",state=\"idle\"}",
                           "holdfast_batch_size_count{backend=\"local\",store=\"main\"}"}) {
    EXPECT_NE(metrics.find(name), std::string::npos) << name;
  }
}

TEST_F(RedisServing, redis_fences_a_write_with_an_outdated_token) {
  Service service = Start(first_folder_);
  const std::string lock = "/v1/stores/main/locks/a";
  const nlohmann::json first = service.Json("POST", lock, R"({"owner":"one","ttl":"1h"})");
  EXPECT_EQ(service.Send("POST", lock, {}, R"({"owner":"two","ttl":"1h"})").status, 409);
  const auto fenced = [&](const nlohmann::json& grant) {
    return service
        .Send("PUT", KeyPath("guarded"),
              {{"Holdfast-Fence", fmt::format("a={}", grant.at("token").get<std::uint64_t>())}}, "v")
        .status;
  };
  EXPECT_EQ(fenced(first), 201);
  EXPECT_EQ(service.Send("DELETE", lock + "?lease=" + first.at("lease").get<std::string>()).status, 204);
  const nlohmann::json second = service.Json("POST", lock, R"({"owner":"two","ttl":"1h"})");
  EXPECT_EQ(fenced(first), 412);
  EXPECT_EQ(fenced(second), 204);
}

// Names, values and attributes that end a command in Redis' protocol, or a script.
TEST_F(RedisServing, redis_protocol_and_lua_in_keys_values_and_attributes_are_inert) {
  Service service = Start(first_folder_);
  ASSERT_EQ(Put(service, "canary", "1").status, 201);
  const std::vector<std::string> corpus = {"\r\nFLUSHALL\r\n",
                                           "*1\r\n$8\r\nFLUSHALL\r\n",
                                           "$-1\r\n",
                                           "x\r\n+OK\r\n:1\r\n-ERR\r\n",
                                           "\nQUIT\n",
                                           "]] redis.call('FLUSHALL') --[[",
                                           "' .. redis.call('FLUSHALL') .. '",
                                           "\\r\\nFLUSHALL",
                                           "{}*?[a-z]",
                                           "%s%n~"};
  for (const std::string& text : corpus) {
    const std::string key = KeyPath(http::PercentEncode(text));
    EXPECT_EQ(service.Send("PUT", key, {{"Holdfast-Metadata", nlohmann::json({{"m", text}}).dump()}}, text).status, 201)
        << text;
    EXPECT_EQ(service.Send("GET", key).body, text);
    const std::string prefix = "/v1/stores/main/count?prefix=" + http::PercentEncode(text);
    EXPECT_EQ(service.Json("GET", prefix).at("count"), 1) << text;
    EXPECT_EQ(service.Send("DELETE", key).status, 204);
  }
  EXPECT_EQ(service.Send("GET", KeyPath("canary")).body, "1");
  EXPECT_EQ(Everything(service).size(), 1u);
}

}  // namespace
}  // namespace holdfast
