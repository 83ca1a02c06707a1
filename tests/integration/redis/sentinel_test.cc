// A master, two replicas and three sentinels, of which one or the other fails while the service serves.
#include <fmt/format.h>

#include <iostream>

#include "tests/integration/redis/redis_service.h"
#include "tests/redis/sentinel_group.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using redis_servers::RedisServer;
using redis_servers::SentinelGroup;
using Clock = std::chrono::steady_clock;

// docs/formats/redis.md: what a master that is gone had acknowledged in the last moments may be lost, not what is
// older: min-replicas-max-lag, one second between two reports of a replica, and one that whole seconds leave out.
constexpr std::chrono::seconds kMaxLag{2};
constexpr std::chrono::seconds kLossBound = kMaxLag + std::chrono::seconds{2};

class RedisSentinel : public OverRedis {
 protected:
  RedisSentinel() : group_(SentinelGroup::Start(Options()).value()) {}
  static redis_servers::SentinelGroupOptions Options() {
    redis_servers::SentinelGroupOptions options;
    options.acl = true;
    options.down_after_ms = 3'000;  // a busy machine holds a server up for longer than a second
    options.parameters = {{"appendonly", "yes"},
                          {"min-replicas-to-write", "1"},
                          {"min-replicas-max-lag", std::to_string(kMaxLag.count())}};
    return options;
  }
  SentinelGroup& group() { return *group_; }
  Service Start(const std::string& more = "") { return StartOver(group_->Url(), first_folder_, more); }

  // Holds what was acknowledged against what is there; `fault_at` is when the master was taken away, `replaced_at` when
  // another had its place. Where the sentinels have taken that one, too, for down, on a machine that is too busy, what
  // was acknowledged until the end may be lost by the same rule.
  void Audit(Service& service, AuditedLoad& load, Clock::time_point fault_at, Clock::time_point replaced_at) {
    const WriteHistory::Entries found = Everything(service);
    const int changes = MasterChanges();
    const WriteHistory::Window window{fault_at - kLossBound, changes == 1 ? replaced_at : Clock::now()};
    EXPECT_THAT(load.history().Complaints(found, window), testing::IsEmpty());
    std::cout << fmt::format("{} failover(s): {} of {} acknowledged writes lost, bound {} s\n", changes,
                             load.history().Lost(found), load.history().counts().acknowledged, kLossBound.count());
  }
  int MasterChanges() {
    const std::string log = group_->sentinels().front()->Log();
    int changes = 0;
    for (std::size_t at = 0; (at = log.find("+switch-master", at)) != std::string::npos; ++at) ++changes;
    return changes;
  }

 private:
  const std::unique_ptr<SentinelGroup> group_;
};

TEST_F(RedisSentinel, redis_sentinel_fault_master_killed_under_load_writes_resume_at_the_next) {
  Service service = Start(", durable: true");
  AuditedLoad load(service.port());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  RedisServer& first = *group().Master().value();
  const auto killed_at = Clock::now();
  first.Kill();
  const Result<RedisServer*> second = group().AwaitOtherMaster(first);
  ASSERT_TRUE(second.ok()) << second.error().message();
  const auto replaced_at = Clock::now();
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  ASSERT_TRUE((*second)->Cli({"SCRIPT", "FLUSH"}).ok());
  // The old one comes back as a master, until a sentinel tells it otherwise.
  ASSERT_TRUE(first.StartAgain().ok());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  load.Stop();
  Audit(service, load, killed_at, replaced_at);
}

TEST_F(RedisSentinel, redis_sentinel_fault_master_frozen_writes_resume_and_it_gets_none_when_it_thaws) {
  Service service = Start();
  AuditedLoad load(service.port());
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  RedisServer& first = *group().Master().value();
  const auto frozen_at = Clock::now();
  first.Freeze();
  const Result<RedisServer*> second = group().AwaitOtherMaster(first);
  ASSERT_TRUE(second.ok()) << second.error().message();
  const auto replaced_at = Clock::now();
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  first.Thaw();
  ASSERT_TRUE(load.AwaitAcknowledged(200));
  load.Stop();
  Audit(service, load, frozen_at, replaced_at);
}

TEST_F(RedisSentinel, redis_sentinel_without_replicas_in_step_writes_are_503_with_the_reason_and_reads_go_on) {
  Service service = Start();
  ASSERT_EQ(Put(service, "a", "1").status, 201);
  for (const auto& server : group().servers()) {
    if (server.get() != group().Master().value()) server->Freeze();
  }
  http::ClientResponse refused;
  ASSERT_TRUE(Eventually([&] {
    refused = Put(service, "b", "1");
    return refused.status / 100 != 2;
  }));
  EXPECT_EQ(refused.status, 503) << refused.body;
  EXPECT_EQ(CodeOf(refused), "unavailable");
  EXPECT_NE(refused.body.find("min-replicas-to-write"), std::string::npos) << refused.body;
  EXPECT_TRUE(refused.headers.count("retry-after")) << refused.body;
  const auto read = service.Send("GET", KeyPath("a"));
  EXPECT_EQ(read.body, "1") << read.status;
  for (const auto& server : group().servers()) server->Thaw();
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put(service, "c", "1")) == "ok"; }));
}

// Every replica is as empty as the master that comes back: what was locked is not free.
TEST_F(RedisSentinel, redis_sentinel_fault_all_data_lost_no_lock_is_granted) {
  Service service = Start();
  const std::string lock = "/v1/stores/main/locks/a";
  ASSERT_EQ(service.Send("POST", lock, {}, R"({"owner":"one","ttl":"1h"})").status, 201);
  for (const auto& server : group().servers()) server->Kill();
  for (const auto& server : group().servers()) {
    ASSERT_TRUE(server->EmptyData().ok());
    ASSERT_TRUE(server->StartAgain().ok());
  }
  http::ClientResponse refused;
  EXPECT_TRUE(Eventually([&] {
    refused = service.Send("POST", lock, {}, R"({"owner":"two","ttl":"1h"})");
    return refused.status == 201 || refused.body.find("lost its data") != std::string::npos;
  })) << refused.body;
  EXPECT_EQ(refused.status, 503) << refused.body;
}

}  // namespace
}  // namespace holdfast
