// The client over a real Redis Cluster.
#include "base/redis/cluster.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/redis/client.h"
#include "tests/redis/redis_cluster.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisCluster;
using redis_servers::RedisClusterOptions;
using redis_servers::RedisServer;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

// One of three masters without replicas, for all cases that leave it as it was.
class RedisClusterClient : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    RedisClusterOptions options;
    options.replicas = 0;
    options.node_timeout_ms = 3'000;
    auto started = RedisCluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message();
    cluster_ = std::move(*started);
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  static Options OptionsFor(const std::string& url) {
    Options options;
    options.target = ParseUrl(url).value();
    options.max_connections = 2;
    options.acquire_timeout = options.read_timeout = std::chrono::seconds{20};
    return options;
  }
  static std::unique_ptr<Client> Make() { return Client::Make(OptionsFor(cluster_->Url())).value(); }
  static RedisCluster& cluster() { return *cluster_; }

 private:
  static std::unique_ptr<RedisCluster> cluster_;
};
std::unique_ptr<RedisCluster> RedisClusterClient::cluster_;

TEST_F(RedisClusterClient, redis_cluster_OnePipelineGoesToAllNodesAndAnswersComeInItsOrder) {
  // One node is enough to find the others.
  const auto client =
      Client::Make(OptionsFor(fmt::format("redis+cluster://127.0.0.1:{}", cluster().servers()[1]->port()))).value();
  constexpr int kKeys = 300;
  Pipeline writes;
  Pipeline reads;
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = fmt::format("order{}", i);
    writes.For(key).Add(Effect::kWrite, {"SET", key, std::to_string(i)});
    reads.For(key).Add(Effect::kRead, {"GET", key});
  }
  for (const auto& reply : client->Run(writes, Soon())) ASSERT_TRUE(reply.ok()) << reply.error().message();
  const Replies replies = client->Run(reads, Soon());
  for (int i = 0; i < kKeys; ++i) EXPECT_EQ(*replies[static_cast<std::size_t>(i)], Value::String(std::to_string(i)));
  for (const auto& server : cluster().servers()) EXPECT_NE(server->Cli({"DBSIZE"}).value(), "0");
  EXPECT_EQ(client->statistics().max, 6u);
  // What has no key goes anywhere.
  EXPECT_TRUE(client->Run(Effect::kRead, {"PING"}, Soon()).ok());
}

TEST_F(RedisClusterClient, redis_cluster_ScriptsAreFoundAgainOnTheNodeThatForgotThem) {
  const auto client = Make();
  const Script script("test", "return redis.call('INCR', KEYS[1])");
  const auto count = [&] {
    Pipeline pipeline;
    for (int i = 0; i < 30; ++i) {
      const std::string key = fmt::format("script{}", i);
      pipeline.For(key).Call(Effect::kWrite, script, {key}, {});
    }
    return client->Run(pipeline, Soon());
  };
  for (std::int64_t round = 1; round <= 3; ++round) {
    for (const auto& reply : count()) {
      ASSERT_TRUE(reply.ok()) << reply.error().message();
      EXPECT_EQ(*reply, Value::Integer(round));
    }
    ASSERT_TRUE(cluster().servers()[static_cast<std::size_t>(round) % 3]->Cli({"SCRIPT", "FLUSH"}).ok());
  }
}

TEST_F(RedisClusterClient, redis_cluster_AWriteFollowsASlotThatMovesAndHappensOnce) {
  const auto client = Make();
  ASSERT_TRUE(client->Run(Effect::kWrite, {"INCR", "moving"}, Soon()).ok());
  const std::uint16_t slot = SlotOf("moving");
  RedisServer& from = *cluster().MasterOf(slot).value();
  RedisServer& to = *cluster().servers()[&from == cluster().servers()[0].get() ? 1 : 0];
  // More keys than are moved at once: while some are here and some there, each is found where it is.
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(client->Run(Effect::kWrite, {"SET", fmt::format("{{moving}}{}", i), std::to_string(i)}, Soon()).ok());
  }
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> counted{1};
  std::thread writer([&] {
    while (!stop) {
      const auto reply = client->Run(Effect::kWrite, {"INCR", "moving"}, Soon());
      if (!reply.ok() || *reply != Value::Integer(++counted)) ++wrong;
    }
  });
  int midway = 0;
  const Status moved = cluster().MoveSlot(slot, from, to, [&] {
    ++midway;
    Pipeline pipeline;
    for (int i = 0; i < 40; ++i) {
      const std::string key = fmt::format("{{moving}}{}", i);
      pipeline.For(key).Add(Effect::kRead, {"GET", key});
    }
    const Replies replies = client->Run(pipeline, Soon());
    for (int i = 0; i < 40; ++i) {
      const auto& reply = replies[static_cast<std::size_t>(i)];
      ASSERT_TRUE(reply.ok()) << reply.error().message();
      EXPECT_EQ(*reply, Value::String(std::to_string(i)));
    }
    // Several keys of which some are elsewhere cannot be asked for together.
    const auto together = client->Run(Effect::kRead, {"MGET", "{moving}0", "{moving}1", "{moving}none"}, Soon());
    ASSERT_FALSE(together.ok());
    EXPECT_EQ(together.error().code(), ErrorCode::kUnavailable) << together.error().message();
  });
  ASSERT_TRUE(moved.ok()) << moved.error().message();
  stop = true;
  writer.join();
  EXPECT_GT(midway, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(client->Run(Effect::kRead, {"GET", "{moving}0"}, Soon()).ok());
  const Deadline deadline = Soon();
  while (client->master_changes() == 0 && !deadline.Expired()) {
    ASSERT_TRUE(client->Run(Effect::kRead, {"GET", "moving"}, Soon()).ok());
  }
  EXPECT_GT(client->master_changes(), 0u);
  ASSERT_TRUE(cluster().MoveSlot(slot, to, from).ok());
}

TEST_F(RedisClusterClient, redis_cluster_ADedicatedConnectionLeadsToTheNodeOfItsKey) {
  const auto client = Make();
  for (const char* key : {"a", "b", "c"}) {
    const auto connection = client->OpenDedicated(Soon(), nullptr, key);
    ASSERT_TRUE(connection.ok()) << connection.error().message();
    EXPECT_TRUE((*connection)->Run(Effect::kRead, {"GET", key}, Soon()).ok());
  }
  EXPECT_EQ(client->Acquire(Soon()).error().code(), ErrorCode::kNotSupported);
}

TEST_F(RedisClusterClient, redis_cluster_CrossedSlotsAreRefusedWithTheRemedy) {
  const auto crossed = Make()->Run(Effect::kWrite, {"MSET", "a", "1", "b", "2"}, Soon());
  ASSERT_FALSE(crossed.ok());
  EXPECT_EQ(crossed.error().code(), ErrorCode::kNotSupported);
}

TEST_F(RedisClusterClient, redis_cluster_ANodeThatIsDownFailsItsSlotsAndNoOthers) {
  const auto client = Make();
  RedisServer& lost = *cluster().MasterOf(SlotOf("foo")).value();
  ASSERT_TRUE(client->Run(Effect::kWrite, {"SET", "foo", "1"}, Soon()).ok());
  lost.Kill();
  // Until the others have seen it and again afterwards.
  for (int i = 0; i < 20; ++i) {
    Pipeline pipeline;
    std::set<std::string> here;
    for (const char* key : {"foo", "bar", "hello"}) pipeline.For(key).Add(Effect::kWrite, {"SET", key, "2"});
    const Replies replies = client->Run(pipeline, Soon());
    ASSERT_FALSE(replies[0].ok());
    // The first may have gone out over a connection that was lost with the node.
    EXPECT_TRUE(replies[0].error().code() == ErrorCode::kUnavailable ||
                (i == 0 && replies[0].error().code() == ErrorCode::kOutcomeUnknown))
        << replies[0].error().message();
    EXPECT_TRUE(replies[1].ok()) << replies[1].error().message();
    EXPECT_TRUE(replies[2].ok()) << replies[2].error().message();
  }
  ASSERT_TRUE(lost.StartAgain().ok());
  const Deadline deadline = Soon();
  while (!client->Run(Effect::kWrite, {"SET", "foo", "3"}, Soon()).ok() && !deadline.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(*client->Run(Effect::kRead, {"GET", "foo"}, Soon()), Value::String("3"));
}

TEST(RedisClusterReach, redis_cluster_NobodyToAskIsSaidSo) {
  Options options;
  options.target = ParseUrl("redis+cluster://127.0.0.1:1").value();
  const auto client = Client::Make(options).value();
  const auto reply = client->Run(Effect::kRead, {"GET", "a"}, Soon());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(reply.error().message().find("none of the 1 nodes"), std::string::npos) << reply.error().message();
  client->Close();
  EXPECT_EQ(client->Run(Effect::kRead, {"GET", "a"}, Soon()).error().code(), ErrorCode::kUnavailable);
}

TEST(RedisClusterReach, redis_cluster_OverTlsAsAUserOfAnAcl) {
  RedisClusterOptions cluster_options;
  cluster_options.masters = 2;
  cluster_options.replicas = 0;
  cluster_options.tls = cluster_options.acl = true;
  const auto cluster = RedisCluster::Start(cluster_options);
  ASSERT_TRUE(cluster.ok()) << cluster.error().message();
  Options options;
  options.target = ParseUrl((*cluster)->Url()).value();
  options.tls.ca = (*cluster)->ca_file().string();
  const auto client = Client::Make(options).value();
  for (const char* key : {"a", "b", "c", "d"}) {
    const auto reply = client->Run(Effect::kWrite, {"SET", key, "1"}, Soon());
    EXPECT_TRUE(reply.ok()) << reply.error().message();
  }
}

}  // namespace
}  // namespace holdfast::redis
