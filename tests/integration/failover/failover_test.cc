// A dead primary is replaced, and every write that was acknowledged is there afterwards.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/integration/failover/failover_bench.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using patroni_cluster::KubeletSettings;
using patroni_cluster::Settings;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

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
  settings.failsafe = true;
  return settings;
}

TEST(FailoverTest, failover_postgres_killed_frozen_and_planned_lose_nothing) {
  FailoverBench bench(Quick(), kQuickKubelet, true);
  auto& cluster = bench.cluster();
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();

  std::string former = cluster.Leader();
  bench.meter().Begin();
  cluster.Kill(former);
  const auto killed = cluster.AwaitPrimary(former);
  ASSERT_TRUE(killed.ok()) << killed.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("killed_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("step", "") == "Done"; }));
  EXPECT_EQ(bench.Failover().value("from", ""), former);
  EXPECT_EQ(bench.Failover().value("to", ""), *killed);
  ASSERT_TRUE(cluster.AwaitSettled().ok());
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();

  former = cluster.Leader();
  bench.meter().Begin();
  bench.AskForSwitchover("");
  const auto planned = cluster.AwaitPrimary(former);
  ASSERT_TRUE(planned.ok()) << planned.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("planned_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(Eventually([&] {
    return !bench.StorageCluster().contains("/metadata/annotations/storage.holdfast.dev~1switchover"_json_pointer);
  }));
  EXPECT_EQ(bench.Failover().value("reason", ""), "SwitchoverCompleted");
  ASSERT_TRUE(cluster.AwaitSettled().ok());

  former = cluster.Leader();
  bench.meter().Begin();
  cluster.Freeze(former);
  // Its standby, or itself, ended and started anew, when that is quicker: it still holds the lock then.
  const auto frozen = cluster.AwaitPrimary();
  ASSERT_TRUE(frozen.ok()) << frozen.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("frozen_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("step", "") == "Done"; }));
  EXPECT_THAT(bench.EventReasons(), Contains("FailoverCompleted"));
  EXPECT_THAT(bench.Audit(), IsEmpty());
}

// A new image, so to speak: the replicas are replaced one after the other, an updated one becomes primary, and the old
// primary goes last, while clients write.
TEST(FailoverTest, failover_postgres_rolling_change_replaces_the_primary_last_and_loses_nothing) {
  Settings settings = Quick();
  settings.members = 3;
  FailoverBench bench(settings, kQuickKubelet, true);
  auto& cluster = bench.cluster();
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();
  const std::string former = cluster.Leader();
  bench.meter().Begin();
  cluster.ChangeTemplate("demo-db-2");
  const auto updated = [&](const std::string& member) { return cluster.RevisionOf(member) == "demo-db-2"; };
  ASSERT_TRUE(Eventually([&] {
    // Read first: the others cannot fall back behind it.
    if (!updated(former)) return false;
    for (const std::string& member : cluster.names()) EXPECT_TRUE(updated(member)) << member << " is behind " << former;
    return bench.Failover().value("rollout", "").empty();
  })) << bench.Failover()
      << cluster.Logs();
  EXPECT_NE(cluster.Leader(), former);
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  testing::Test::RecordProperty("rolling_ms", std::to_string(bench.meter().Longest().count()));
  ASSERT_TRUE(cluster.AwaitSettled().ok());
  EXPECT_THAT(bench.EventReasons(),
              testing::IsSupersetOf({"MemberReplaced", "SwitchoverCompleted", "RolloutCompleted"}));
  EXPECT_THAT(bench.EventReasons(), Not(Contains("FailoverStarted")));
  EXPECT_THAT(bench.Audit(), IsEmpty());
}

// Cut off from the API server and from its peers, while clients with open sessions still reach it.
TEST(FailoverTest, failover_postgres_partitioned_primary_is_ended_with_its_open_sessions) {
  Settings settings = Quick();
  settings.partitionable = true;
  FailoverBench bench(settings, kQuickKubelet, true);
  auto& cluster = bench.cluster();
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("ready", false); })) << bench.Failover();
  const std::string former = cluster.Leader();
  auto session = cluster.Connect(former).value();
  ASSERT_TRUE(session.Execute("CREATE TABLE told (n int)").ok());
  std::atomic<int> told{0};
  std::jthread writer([&](const std::stop_token& stop) {
    for (int n = 1; !stop.stop_requested() && session.Execute(fmt::format("INSERT INTO told VALUES ({})", n)).ok();
         ++n) {
      told = n;
    }
  });
  ASSERT_TRUE(Eventually([&] { return told > 10; }));
  cluster.Cut(former);
  const auto primary = cluster.AwaitPrimary(former);
  ASSERT_TRUE(primary.ok()) << primary.error().ToString();
  writer.join();  // the session ended by itself
  const std::string present = cluster.Connect(*primary)->Value("SELECT count(*) FROM told").value();
  EXPECT_GE(std::stoi(present), told) << "acknowledged in the open session, and lost";
  EXPECT_THAT(bench.EventReasons(), Contains("FailoverStarted"));
  cluster.Heal(former);
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  EXPECT_THAT(bench.Audit(), IsEmpty());
}

// The positive control: asynchronous, and an election that nobody examined. If this loses nothing, the audit is blind.
TEST(FailoverTest, failover_postgres_control_an_asynchronous_standby_loses_acknowledged_writes) {
  Settings settings = Quick();
  settings.partitionable = true;
  settings.synchronous_standbys = 0;
  FailoverBench bench(settings, kQuickKubelet, false);
  auto& cluster = bench.cluster();
  const std::string former = cluster.Leader();
  cluster.Cut(former);
  ASSERT_TRUE(bench.load().AwaitAcknowledged(50));
  cluster.SetRestarts(former, false);
  cluster.Kill(former);
  const auto cleared =
      bench.api().Call("PATCH", "/api/v1/namespaces/default/configmaps/demo-db-leader",
                       {{"metadata", {{"annotations", {{"leader", nullptr}}}}}}, "application/merge-patch+json");
  ASSERT_TRUE(cleared.ok()) << cleared.body;
  const auto primary = cluster.AwaitPrimary(former);
  ASSERT_TRUE(primary.ok()) << primary.error().ToString();
  ASSERT_TRUE(bench.load().AwaitAcknowledged(20));
  EXPECT_THAT(bench.Audit(), Not(IsEmpty()));
}

// What the operator itself does about the same: nothing.
TEST(FailoverTest, failover_postgres_asynchronous_is_left_to_patroni) {
  Settings settings = Quick();
  settings.synchronous_standbys = 0;
  FailoverBench bench(settings, kQuickKubelet, true);
  auto& cluster = bench.cluster();
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("readyReason", "") == "Asynchronous"; }));
  const std::string former = cluster.Leader();
  cluster.SetRestarts(former, false);
  cluster.Kill(former);
  ASSERT_TRUE(Eventually([&] { return bench.Failover().value("step", "") == "Refused"; }));
  EXPECT_EQ(bench.Failover().value("reason", ""), "Asynchronous");
  EXPECT_EQ(cluster.Leader(), former);
}

}  // namespace
}  // namespace holdfast
