#include "tests/unit/service/api/api_harness.h"

namespace holdfast::api {
namespace {

TEST(StoreTest, MemoryTellsWhatItIsAndHowItDoes) {
  ApiHarness api({{}, {}, std::chrono::hours{1}});
  api.Send("PUT", "/v1/stores/main/keys/k", {}, "v");
  api.Send("GET", "/v1/stores/main/keys/k");
  const Answer answer = api.Send("GET", "/v1/stores/_default");
  ASSERT_EQ(answer.status, 200);
  const auto store = answer.Json();
  EXPECT_EQ(store.at("name"), "main");
  EXPECT_EQ(store.at("default"), true);
  EXPECT_EQ(store.at("backend"), "memory");
  EXPECT_EQ(store.at("kind"), "memory");
  EXPECT_EQ(store.at("durability"), "memory");
  EXPECT_EQ(store.at("default_ttl"), "1h");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), false);
  EXPECT_EQ(store.at("capabilities").at("fencing_survives_failover"), false);
  EXPECT_EQ(store.at("limits").at("key_bytes"), 512);
  EXPECT_EQ(store.at("limits").at("value_bytes"), 10 << 20);
  EXPECT_EQ(store.at("health"), (nlohmann::json{{"status", "healthy"}}));
  EXPECT_EQ(store.at("statistics").at("entries"), 1);
  EXPECT_EQ(store.at("statistics").at("operations").at("put"), 1);
  EXPECT_EQ(store.at("statistics").at("operations").at("get"), 1);
}

TEST(StoreTest, MemoryListsEveryStore) {
  ApiHarness api;
  const auto stores = api.Send("GET", "/v1/stores").Json().at("stores");
  ASSERT_EQ(stores.size(), 1u);
  EXPECT_EQ(stores[0].at("name"), "main");
}

}  // namespace
}  // namespace holdfast::api
