// Reads that may be late, over a master with replicas.
#include <gmock/gmock.h>

#include "base/redis/url.h"
#include "service/backends/redis/redis_backend.h"
#include "tests/redis/sentinel_group.h"
#include "tests/unit/service/backends/redis/redis_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast::storage::redis_backend {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kPatience{30};

class RedisReplicaReads : public testing::Test {
 protected:
  RedisReplicaReads() : group_(redis_servers::SentinelGroup::Start(Options()).value()) {
    options_.client.target = redis::ParseUrl(group_->Url()).value();
    options_.poll_interval = milliseconds{20};
    options_.replica_reads = true;
    options_.max_replication_lag = milliseconds{2'000};
    backend_ = OpenRedisBackend(options_).value();
    const Status healthy = backend_->CheckHealth(Deadline::After(std::chrono::seconds{20}));
    EXPECT_TRUE(healthy.ok()) << healthy.error().ToString();
  }
  static redis_servers::SentinelGroupOptions Options() {
    redis_servers::SentinelGroupOptions options;
    options.sentinels = 1;
    options.down_after_ms = 60'000;  // nobody replaces a master that is frozen here
    return options;
  }

  OperationResult Put(const std::string& value) {
    OperationResult result =
        ExecuteOne(*backend_, Operation::Put("k", value), Deadline::After(std::chrono::seconds{20}));
    EXPECT_TRUE(result.status.ok()) << result.status.error().ToString();
    return result;
  }
  OperationResult Get(Consistency consistency, Version min_version = 0, milliseconds patience = milliseconds{20'000}) {
    Operation get = Operation::Get("k");
    get.consistency = consistency;
    get.min_version = min_version;
    return ExecuteOne(*backend_, get, Deadline::After(patience));
  }
  std::uint64_t ReadsOfReplicas() { return backend_->statistics().reads->replicas.at(0).reads; }
  bool AwaitReadByAReplica() {
    const std::uint64_t before = ReadsOfReplicas();
    return Eventually([&] { return Get(Consistency::kEventual).status.ok() && ReadsOfReplicas() > before; }, kPatience);
  }

  const std::unique_ptr<redis_servers::SentinelGroup> group_;
  RedisOptions options_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(RedisReplicaReads, redis_sentinel_OnlyReadsThatMayBeLateGoToReplicas) {
  Put("1");
  ASSERT_TRUE(AwaitReadByAReplica());
  const std::uint64_t before = ReadsOfReplicas();
  const std::uint64_t primary = backend_->statistics().reads->primary_reads;
  EXPECT_EQ("1", Get(Consistency::kStrong).entry->value);
  EXPECT_EQ(before, ReadsOfReplicas());
  EXPECT_EQ(primary + 1, backend_->statistics().reads->primary_reads);
  // Both in one call, each as it asks.
  std::vector<Operation> gets{Operation::Get("k"), Operation::Get("k"), Operation::Get("absent")};
  gets[1].consistency = gets[2].consistency = Consistency::kEventual;
  std::vector<OperationResult> results(gets.size());
  backend_->Execute(gets, results, Deadline::After(std::chrono::seconds{20}));
  EXPECT_EQ("1", results[0].entry->value);
  EXPECT_EQ("1", results[1].entry->value);
  EXPECT_EQ(ErrorCode::kNotFound, results[2].status.error().code());
  EXPECT_EQ(before + 2, ReadsOfReplicas());
  ScanRequest scan;
  scan.consistency = Consistency::kEventual;
  EXPECT_TRUE(Eventually(
      [&] {
        const auto page = backend_->Scan(scan, Deadline::After(std::chrono::seconds{20}));
        return page.ok() && page->entries.size() == 1 && ReadsOfReplicas() > before + 2;
      },
      kPatience));
}

TEST_F(RedisReplicaReads, redis_sentinel_WhoHasSeenAVersionNeverSeesAnOlderOne) {
  ASSERT_TRUE(Put("0").status.ok());
  ASSERT_TRUE(AwaitReadByAReplica());
  for (int i = 1; i <= 200; ++i) {
    const Version seen = Put(std::to_string(i)).version;
    const OperationResult read = Get(Consistency::kEventual, seen);
    ASSERT_TRUE(read.status.ok());
    EXPECT_GE(read.version, seen);
  }
}

// A replica that hears of nothing new cannot prove that it is not behind.
TEST_F(RedisReplicaReads, redis_sentinel_ReplicasAnswerForAFrozenMasterNoLongerThanTheLagThatIsAllowed) {
  Put("1");
  ASSERT_TRUE(AwaitReadByAReplica());
  group_->servers()[0]->Freeze();
  EXPECT_TRUE(Get(Consistency::kEventual, 0, milliseconds{1'000}).status.ok());
  EXPECT_TRUE(Eventually([&] { return !Get(Consistency::kEventual, 0, milliseconds{300}).status.ok(); }, kPatience));
  group_->servers()[0]->Thaw();
  EXPECT_TRUE(AwaitReadByAReplica());
}

TEST_F(RedisReplicaReads, redis_sentinel_WithoutReplicasTheMasterAnswers) {
  Put("1");
  ASSERT_TRUE(AwaitReadByAReplica());
  for (const std::size_t replica : {std::size_t{1}, std::size_t{2}}) group_->servers()[replica]->Freeze();
  for (int i = 0; i < 3; ++i) EXPECT_EQ("1", Get(Consistency::kEventual).entry->value);
  EXPECT_FALSE(backend_->statistics().reads->replicas.at(0).in_rotation);
  for (const std::size_t replica : {std::size_t{1}, std::size_t{2}}) group_->servers()[replica]->Thaw();
  EXPECT_TRUE(AwaitReadByAReplica());
}

}  // namespace
}  // namespace holdfast::storage::redis_backend
