#include "tests/redis/redis_cluster.h"

#include <gtest/gtest.h>

namespace holdfast::redis_servers {
namespace {

TEST(RedisCluster, redis_cluster_MovesASlotWithItsKeysAndPromotesAReplica) {
  RedisClusterOptions options;
  options.node_timeout_ms = 3'000;
  const auto started = RedisCluster::Start(options);
  ASSERT_TRUE(started.ok()) << started.error().message();
  RedisCluster& cluster = **started;
  const Result<RedisServer*> first = cluster.MasterOf(0);
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(*first, cluster.servers()[0].get());
  RedisServer& last = *cluster.servers()[2];
  EXPECT_EQ(cluster.MasterOf(16'383).value(), &last);
  // CLUSTER KEYSLOT foo
  constexpr std::uint16_t kSlotOfFoo = 12'182;
  ASSERT_TRUE(last.Cli({"SET", "foo", "1"}).ok());
  const Status moved = cluster.MoveSlot(kSlotOfFoo, last, **first);
  ASSERT_TRUE(moved.ok()) << moved.error().message();
  EXPECT_EQ((*first)->Cli({"GET", "foo"}).value(), "1");
  last.Kill();
  const Result<RedisServer*> next = cluster.AwaitOtherMaster(16'383, last);
  ASSERT_TRUE(next.ok()) << next.error().message();
  EXPECT_EQ(*next, cluster.servers()[5].get());
}

}  // namespace
}  // namespace holdfast::redis_servers
