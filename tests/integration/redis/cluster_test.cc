// A Redis Cluster of three masters with a replica each, of which one fails while the service serves.
#include <fmt/format.h>

#include <iostream>

#include "tests/integration/redis/redis_service.h"
#include "tests/redis/redis_cluster.h"

namespace holdfast {
namespace {

using redis_servers::RedisCluster;
using redis_servers::RedisServer;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kNodeTimeout{5};
// docs/formats/redis.md: what was acknowledged before may not be lost by a failover.
constexpr std::chrono::seconds kLossBound = kNodeTimeout + std::chrono::seconds{2};

class RedisClusterService : public OverRedis {
 protected:
  RedisClusterService() : cluster_(RedisCluster::Start(Options()).value()) {}
  static redis_servers::RedisClusterOptions Options() {
    redis_servers::RedisClusterOptions options;
    options.acl = true;
    options.append_only = true;
    options.node_timeout_ms = static_cast<int>(std::chrono::milliseconds(kNodeTimeout).count());
    return options;
  }
  RedisCluster& cluster() { return *cluster_; }
  Service Start(const std::string& more = "") { return StartOver(cluster_->Url(), first_folder_, more); }
  // The master that has most keys: where one namespace lies on one, that one.
  RedisServer& Fullest() {
    RedisServer* fullest = nullptr;
    int most = -1;
    for (std::size_t i = 0; i < 3; ++i) {
      RedisServer& server = *cluster_->servers()[i];
      const int keys = std::stoi(server.Cli({"DBSIZE"}).value());
      if (keys <= most) continue;
      most = keys;
      fullest = &server;
    }
    return *fullest;
  }

 private:
  const std::unique_ptr<RedisCluster> cluster_;
};

TEST_F(RedisClusterService, redis_cluster_serves_keys_batches_lists_and_refuses_what_crosses_its_parts) {
  Service service = Start(", durable: true");
  nlohmann::json operations = nlohmann::json::array();
  for (int i = 0; i < 100; ++i) {
    operations.push_back({{"op", "put"}, {"key", fmt::format("k{:03}", i)}, {"value", std::to_string(i)}});
  }
  const nlohmann::json batch =
      service.Json("POST", "/v1/stores/main/batch", nlohmann::json{{"operations", operations}}.dump());
  for (const auto& result : batch.at("results")) EXPECT_EQ(result.at("status"), 201) << result;
  EXPECT_EQ(Everything(service).size(), 100u);
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=k09").at("count"), 10);
  const nlohmann::json store = service.Json("GET", "/v1/stores/main");
  EXPECT_EQ(store.at("durability"), "sync");
  EXPECT_EQ(store.at("capabilities").at("transactions_span_keys"), false);

  const auto transact = [&](const std::string& tag) {
    nlohmann::json then = nlohmann::json::array();
    for (int i = 0; i < 20; ++i) then.push_back({{"op", "put"}, {"key", fmt::format("{}t{}", tag, i)}, {"value", "1"}});
    return service.Send("POST", "/v1/stores/main/transaction", {}, nlohmann::json{{"then", then}}.dump());
  };
  const auto refused = transact("");
  EXPECT_EQ(refused.status, 501) << refused.body;
  EXPECT_EQ(CodeOf(refused), "not_supported");
  EXPECT_NE(refused.body.find("{tag}"), std::string::npos) << refused.body;
  EXPECT_EQ(transact("{x}").status, 200);
  EXPECT_EQ(service.Send("POST", "/v1/stores/main/transactions").status, 501);

  // A lock guards keys of its own tag.
  const nlohmann::json grant = service.Json("POST", "/v1/stores/main/locks/%7Bx%7D", R"({"owner":"one","ttl":"1h"})");
  const auto fence = fmt::format("{{x}}={}", grant.at("token").get<std::uint64_t>());
  EXPECT_EQ(service.Send("PUT", KeyPath("%7Bx%7Dguarded"), {{"Holdfast-Fence", fence}}, "v").status, 201);
  // Documents of a namespace lie together, with their indexes.
  EXPECT_EQ(service.Send("PUT", "/v1/stores/main/collections/people", {}, R"({"indexes":["age"]})").status / 100, 2);
  for (int i = 0; i < 5; ++i) {
    const auto put = service.Send("PUT", fmt::format("/v1/stores/main/collections/people/documents/p{}", i), {},
                                  fmt::format(R"({{"age":{}}})", i));
    EXPECT_EQ(put.status, 201) << put.body;
  }
  // What has an Idempotency-Key happens once.
  for (int i = 0; i < 2; ++i) {
    const auto once =
        service.Send("POST", KeyPath("counter") + "?action=increment", {{"Idempotency-Key", "\"one\""}}, "");
    EXPECT_EQ(once.status / 100, 2) << once.body;
  }
  EXPECT_EQ(service.Send("GET", KeyPath("counter")).body, "1");
}

TEST_F(RedisClusterService, redis_cluster_fault_master_killed_under_load_writes_resume_at_its_replica) {
  Service service = Start(", durable: true, cluster_spread: namespace");
  AuditedLoad load(service.port());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  RedisServer& first = Fullest();
  // Any slot of it will do.
  const std::size_t place = &first == cluster().servers()[0].get() ? 0 : &first == cluster().servers()[1].get() ? 1 : 2;
  const auto slot = static_cast<std::uint16_t>(place * 16'384 / 3 + 1);
  const auto killed_at = Clock::now();
  first.Kill();
  const Result<RedisServer*> second = cluster().AwaitOtherMaster(slot, first);
  ASSERT_TRUE(second.ok()) << second.error().message();
  const auto replaced_at = Clock::now();
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  ASSERT_TRUE((*second)->Cli({"SCRIPT", "FLUSH"}).ok());
  // It comes back as a replica of the one that has its place.
  ASSERT_TRUE(first.StartAgain().ok());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  load.Stop();
  const WriteHistory::Entries found = Everything(service);
  EXPECT_THAT(load.history().Complaints(found, WriteHistory::Window{killed_at - kLossBound, replaced_at}),
              testing::IsEmpty());
  std::cout << fmt::format("{} of {} acknowledged writes lost, bound {} s\n", load.history().Lost(found),
                           load.history().counts().acknowledged, kLossBound.count());
}

}  // namespace
}  // namespace holdfast
