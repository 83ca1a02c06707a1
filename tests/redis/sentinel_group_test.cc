#include "tests/redis/sentinel_group.h"

#include <gtest/gtest.h>

namespace holdfast::redis_servers {
namespace {

TEST(SentinelGroup, redis_sentinel_PromotesAReplicaWhenTheMasterIsKilled) {
  SentinelGroupOptions options;
  options.acl = true;
  const auto started = SentinelGroup::Start(options);
  ASSERT_TRUE(started.ok()) << started.error().message();
  SentinelGroup& group = **started;
  const Result<RedisServer*> first = group.Master();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(*first, group.servers()[0].get());
  (*first)->Kill();
  const Result<RedisServer*> second = group.AwaitOtherMaster(**first);
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_TRUE((*second)->Cli({"SET", "a", "1"}).ok());
}

}  // namespace
}  // namespace holdfast::redis_servers
