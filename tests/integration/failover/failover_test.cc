// A dead primary is replaced, and every write that was acknowledged is there afterwards.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/integration/failover/failover_bench.h"

namespace holdfast {
namespace {

using patroni_cluster::KubeletSettings;
using patroni_cluster::Settings;
using testing::Contains;
using testing::IsEmpty;

constexpr KubeletSettings kQuickKubelet{std::chrono::milliseconds{50}};
// Patroni's own pace is not what is tested here, only waited for between two rounds.
constexpr int kTtl = 20;
constexpr int kLoopWait = 2;
constexpr int kRetryTimeout = 5;

Settings Quick() {
  Settings settings;
  settings.ttl = kTtl;
  settings.loop_wait = kLoopWait;
  settings.retry_timeout = kRetryTimeout;
  return settings;
}

TEST(FailoverTest, failover_postgres_killed_frozen_and_planned_lose_nothing) {
  FailoverBench bench(Quick(), kQuickKubelet, true);
  auto& cluster = bench.cluster();
  ASSERT_TRUE(FailoverBench::Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();

  std::string former = cluster.Leader();
  bench.meter().Begin();
  cluster.Kill(former);
  const auto killed = cluster.AwaitPrimary(former);
  ASSERT_TRUE(killed.ok()) << killed.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("killed_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(FailoverBench::Eventually([&] { return bench.Failover().value("step", "") == "Done"; }));
  EXPECT_EQ(bench.Failover().value("from", ""), former);
  EXPECT_EQ(bench.Failover().value("to", ""), *killed);
  ASSERT_TRUE(cluster.AwaitSettled().ok());
  ASSERT_TRUE(FailoverBench::Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();

  former = cluster.Leader();
  bench.meter().Begin();
  bench.AskForSwitchover("");
  const auto planned = cluster.AwaitPrimary(former);
  ASSERT_TRUE(planned.ok()) << planned.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("planned_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(FailoverBench::Eventually([&] {
    return !bench.StorageCluster().contains("/metadata/annotations/storage.holdfast.dev~1switchover"_json_pointer);
  }));
  EXPECT_EQ(bench.Failover().value("reason", ""), "SwitchoverCompleted");
  ASSERT_TRUE(cluster.AwaitSettled().ok());

  former = cluster.Leader();
  bench.meter().Begin();
  cluster.Freeze(former);
  const auto frozen = cluster.AwaitPrimary(former);
  ASSERT_TRUE(frozen.ok()) << frozen.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("frozen_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(FailoverBench::Eventually([&] { return bench.Failover().value("step", "") == "Done"; }));
  EXPECT_THAT(bench.EventReasons(), Contains("FailoverCompleted"));
  EXPECT_THAT(bench.Audit(), IsEmpty());
}

}  // namespace
}  // namespace holdfast
