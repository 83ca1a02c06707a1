// Redis stops, hangs, forgets its scripts, is full or is not what was asked for.
#include <fmt/format.h>

#include "tests/integration/redis/redis_service.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using RedisFaults = RedisServiceTest;

TEST_F(RedisFaults, redis_fault_killed_and_started_again_nothing_acknowledged_is_lost) {
  Service service = Start(first_folder_, ", durable: true");
  AuditedLoad load(service.port());
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  server().Kill();
  ASSERT_TRUE(server().StartAgain().ok());
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  ASSERT_TRUE(server().Cli({"SCRIPT", "FLUSH"}).ok());
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  load.Stop();
  EXPECT_THAT(load.history().Complaints(Everything(service)), testing::IsEmpty());
}

TEST_F(RedisFaults, redis_fault_frozen_writes_end_as_unknown_or_refused_and_go_on_afterwards) {
  Service service = Start(first_folder_);
  AuditedLoad load(service.port());
  ASSERT_TRUE(load.AwaitAcknowledged(50));
  server().Freeze();
  ASSERT_TRUE(load.AwaitUnknown(1));
  server().Thaw();
  ASSERT_TRUE(load.AwaitAcknowledged(100));
  load.Stop();
  EXPECT_THAT(load.history().Complaints(Everything(service)), testing::IsEmpty());
}

class RedisFull : public RedisServiceTest {
 protected:
  RedisFull() : RedisServiceTest(Small()) {}
  static redis_servers::ServerOptions Small() {
    redis_servers::ServerOptions options = Durable();
    options.max_memory = "16mb";
    return options;
  }
};

TEST_F(RedisFull, redis_fault_without_memory_writes_are_507_and_reads_and_deletes_go_on) {
  Service service = Start(first_folder_, ", compression: none");
  const std::string value(256 << 10, 'v');
  int stored = 0;
  http::ClientResponse refused;
  while (stored < 200) {
    refused = Put(service, fmt::format("k{}", stored), value);
    if (refused.status != 201) break;
    ++stored;
  }
  ASSERT_GT(stored, 0);
  EXPECT_EQ(refused.status, 507) << refused.body;
  EXPECT_EQ(CodeOf(refused), "quota_exceeded");
  // A small write may still have fitted.
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "maxmemory", "8mb"}).ok());
  EXPECT_EQ(service.Send("GET", KeyPath("k0")).body, value);
  const nlohmann::json batch =
      service.Json("POST", "/v1/stores/main/batch",
                   R"({"operations":[{"op":"put","key":"new","value":"1"},{"op":"delete","key":"k0"}]})");
  EXPECT_NE(batch.at("results").at(0).at("status"), batch.at("results").at(1).at("status")) << batch;
  for (int i = 1; i < stored; ++i) {
    EXPECT_EQ(service.Send("DELETE", KeyPath(fmt::format("k{}", i))).status, 204);
  }
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put(service, "again", "1")) == "ok"; }));
  EXPECT_EQ(Everything(service).size(), 1u);
}

class RedisNotDurable : public RedisServiceTest {
 protected:
  RedisNotDurable() : RedisServiceTest(redis_servers::ServerOptions{}) {}
};

TEST_F(RedisNotDurable, redis_a_backend_declared_durable_refuses_a_server_that_is_not) {
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "appendonly", "yes"}).ok());
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "appendfsync", "always"}).ok());
  Service service = Start(first_folder_, ", durable: true");
  EXPECT_EQ(Put(service, "a", "1").status, 201);
  // The next connection finds out.
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "appendfsync", "everysec"}).ok());
  ASSERT_TRUE(server().Cli({"CLIENT", "KILL", "TYPE", "normal"}).ok());
  http::ClientResponse refused;
  EXPECT_TRUE(Eventually([&] {
    refused = Put(service, "a", "2");
    return refused.body.find("appendfsync") != std::string::npos;
  })) << refused.body;
}

}  // namespace
}  // namespace holdfast
