// A server that comes back without its data: what was held in it is not taken for free.
#include "service/coordination/lock.h"
#include "service/storage/confined_backend.h"
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

class RedisLostData : public RedisBench {
 protected:
  RedisLostData() { options_.instance_timeout = std::chrono::milliseconds{3'000}; }

  // As the lock `a` of a store.
  std::string TryLock(Backend& backend, std::chrono::microseconds ttl) {
    const auto rooms = Confine(std::shared_ptr<Backend>(&backend, [](Backend*) {}), KeySpace("main", kDefaultNamespace),
                               options_.limits);
    const auto taken = coordination::TryAcquire(*rooms, "a", "somebody", coordination::NewLease(), ttl, SystemClock(),
                                                Deadline::After(std::chrono::seconds{20}));
    if (!taken.ok()) return std::string(taken.error().message());
    return std::holds_alternative<coordination::Grant>(*taken) ? "granted" : "held";
  }
  void LoseEverything() {
    server().Kill();
    ASSERT_TRUE(server().EmptyData().ok());
    ASSERT_TRUE(server().StartAgain().ok());
  }
  // What is answered once the server can be reached again.
  std::string AfterTheLoss(Backend& backend) {
    std::string answer;
    EXPECT_TRUE(Eventually([&] {
      answer = TryLock(backend, std::chrono::hours{1});
      return answer == "granted" || answer.find("lost its data") != std::string::npos;
    })) << answer;
    return answer;
  }
};

TEST_F(RedisLostData, redis_NoLockIsGrantedWhileOneOfBeforeMayBeHeld) {
  const auto first = Open();
  const auto second = Open();
  ASSERT_EQ("granted", TryLock(*first, std::chrono::hours{1}));
  EXPECT_TRUE(Eventually([&] { return second->AwaitListener(); }));
  LoseEverything();
  EXPECT_THAT(AfterTheLoss(*second), testing::HasSubstr("lost its data"));
  EXPECT_THAT(AfterTheLoss(*first), testing::HasSubstr("lost its data"));
  // Until the lock expires, and not only until everybody had time to say what it knows.
  const std::int64_t paused = std::stoll(server().Cli({"HGET", "holdfast:state", "paused"}).value());
  const std::int64_t now = SystemClock().Now().time_since_epoch().count();
  EXPECT_GT(paused - now, std::chrono::microseconds(std::chrono::minutes{50}).count());
  // Everything else goes on.
  EXPECT_TRUE(Run(*second, Operation::Put("k", "v")).status.ok());
  // Who comes anew is told the same.
  const auto third = Open();
  EXPECT_THAT(AfterTheLoss(*third), testing::HasSubstr("lost its data"));
}

TEST_F(RedisLostData, redis_LocksAreGrantedAgainWhenThoseOfBeforeHaveExpired) {
  const auto backend = Open();
  ASSERT_EQ("granted", TryLock(*backend, std::chrono::milliseconds{1}));
  ASSERT_TRUE(server().Cli({"FLUSHALL"}).ok());
  EXPECT_THAT(AfterTheLoss(*backend), testing::HasSubstr("lost its data"));
  EXPECT_TRUE(Eventually([&] { return TryLock(*backend, std::chrono::hours{1}) == "granted"; }));
}

TEST_F(RedisLostData, redis_ANewServerAndOneWithItsDataGrantAtOnce) {
  auto backend = Open();
  EXPECT_EQ("granted", TryLock(*backend, std::chrono::hours{1}));
  backend.reset();
  backend = Open();
  EXPECT_EQ("held", TryLock(*backend, std::chrono::hours{1}));
  EXPECT_EQ("", server().Cli({"HGET", "holdfast:state", "paused"}).value());
}

class RedisKeptData : public RedisBench {
 protected:
  RedisKeptData() : RedisBench(Kept()) {}
  static redis_servers::ServerOptions Kept() {
    redis_servers::ServerOptions options;
    options.append_only = true;
    return options;
  }
};

TEST_F(RedisKeptData, redis_AnotherStartWithItsDataPausesNothing) {
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
  server().Kill();
  ASSERT_TRUE(server().StartAgain().ok());
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "v")).status.ok(); }));
  EXPECT_EQ("", server().Cli({"HGET", "holdfast:state", "paused"}).value());
}

// A setting of the server that changes while every connection stands.
TEST_F(RedisKeptData, redis_AServerThatIsNoLongerDurableIsRefusedWithoutAReconnect) {
  options_.durable = true;
  const auto backend = Open();
  ASSERT_TRUE(Run(*backend, Operation::Put("k", "v")).status.ok());
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "appendonly", "no"}).ok());
  std::string refusal;
  EXPECT_TRUE(Eventually([&] {
    const OperationResult result = Run(*backend, Operation::Put("k", "w"));
    if (!result.status.ok()) refusal = result.status.error().message();
    return !refusal.empty();
  }));
  EXPECT_THAT(refusal, testing::HasSubstr("set appendonly yes"));
  EXPECT_EQ("memory", backend->capabilities().durability);
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "appendonly", "yes"}).ok());
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("k", "w")).status.ok(); }));
  EXPECT_EQ("sync", backend->capabilities().durability);
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
