#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

redis_servers::ServerOptions Small() {
  redis_servers::ServerOptions options;
  options.max_memory = "8mb";
  return options;
}

class RedisMemoryLimit : public RedisBench {
 protected:
  // What can be packed would not fill it.
  RedisMemoryLimit() : RedisBench(Small()) { options_.compression.codec = compression::Codec::kNone; }
};

TEST_F(RedisMemoryLimit, WhatGrowsIsRefusedAloneAndReadsAndDeletesAreDone) {
  const auto listener = std::make_shared<ChainListener>();
  const auto backend = Open(listener);
  const std::string value(128 << 10, 'v');
  int stored = 0;
  OperationResult refused;
  for (; stored < 200; ++stored) {
    refused = Run(*backend, Operation::Put("k" + std::to_string(stored), value));
    if (!refused.status.ok()) break;
  }
  ASSERT_GT(stored, 2);
  ASSERT_EQ("resource_exhausted", Code(refused));

  // A small write may still have fitted.
  ASSERT_TRUE(server().Cli({"CONFIG", "SET", "maxmemory", "4mb"}).ok());
  const std::vector<Operation> batch = {Operation::Put("new", "v"), Operation::Get("k0"), Operation::Delete("k0"),
                                        Operation::Get("k0"), Operation::Increment("n", 1)};
  std::vector<OperationResult> results(batch.size());
  backend->Execute(batch, results, Deadline::After(std::chrono::seconds{20}));
  EXPECT_EQ("resource_exhausted", Code(results[0]));
  EXPECT_EQ("ok", Code(results[1]));
  EXPECT_EQ("ok", Code(results[2]));
  EXPECT_EQ("not_found", Code(results[3]));
  EXPECT_EQ("resource_exhausted", Code(results[4]));
  EXPECT_EQ("not_found", Code(Run(*backend, Operation::Get("new"))));

  // An instance that comes now is not healthy, since it cannot write, and may make room all the same.
  const std::unique_ptr<Backend> other = OpenRedisBackend(options_).value();
  const Status unhealthy = other->CheckHealth(Deadline::After(std::chrono::seconds{20}));
  ASSERT_FALSE(unhealthy.ok());
  EXPECT_EQ(ErrorCode::kResourceExhausted, unhealthy.error().code()) << unhealthy.error().ToString();
  for (int i = 1; i < stored; ++i) EXPECT_TRUE(Run(*other, Operation::Take("k" + std::to_string(i))).status.ok());
  // The stream holds what was taken until both have read it.
  EXPECT_TRUE(Eventually([&] { return Run(*backend, Operation::Put("new", "v")).status.ok(); }));
  EXPECT_EQ(1u, backend->Count(KeyRange::All(), Deadline::Infinite()).value());
  EXPECT_EQ(1u, backend->statistics().entries);
  EXPECT_EQ(0, listener->broken());
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
