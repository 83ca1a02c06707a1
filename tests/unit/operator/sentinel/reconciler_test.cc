#include "operator/sentinel/reconciler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/storage_cluster.h"
#include "tests/unit/operator/sentinel/simulated_redis.h"

namespace holdfast::sentinel {
namespace {

using kube::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SentinelReconcilerTest : public ::testing::Test {
 protected:
  // The status of the backend.
  Json Look() {
    const auto outcome = bench_.Reconcile();
    EXPECT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
    EXPECT_TRUE((*outcome)->requeue_after.has_value());
    return bench_.Said();
  }
  std::string Version() { return kube::ResourceVersionOf(bench_.Cluster()); }

  SimulatedRedis bench_;
};

TEST_F(SentinelReconcilerTest, SaysWhoIsTheMasterAndWritesNothingAtRest) {
  const Json status = Look();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("master", ""), "demo-cache-0");
  EXPECT_EQ(status.value("replicasInStep", 0), 2);
  EXPECT_EQ(status.at("members").size(), 3u);
  EXPECT_THAT(bench_.events.reasons, IsEmpty());
  const failover::Intent intent = bench_.LastIntent();
  EXPECT_EQ(intent.primary, "demo-cache-0");
  EXPECT_TRUE(intent.ready);
  EXPECT_EQ(intent.ready_reason, "ReplicaInStep");
  const std::string version = Version();
  for (int i = 0; i < 10; ++i) Look();
  EXPECT_EQ(Version(), version);
}

TEST_F(SentinelReconcilerTest, AFailoverIsToldFromItsBeginningToItsEnd) {
  Look();
  bench_.ForEachReport([](Report& report) { report.down = true; });
  EXPECT_EQ(Look().value("state", ""), "NoMaster");
  bench_.ForEachReport([](Report& report) { report.failover = true; });
  EXPECT_EQ(Look().value("state", ""), "FailingOver");
  bench_.Serve("demo-cache-1");
  EXPECT_EQ(Look().value("master", ""), "demo-cache-1");
  EXPECT_THAT(bench_.events.reasons, ElementsAre("NoMaster", "FailoverStarted", "MasterChanged"));
}

TEST_F(SentinelReconcilerTest, AMasterThatIsNotReadyDoesNotServe) {
  bench_.SetReady("demo-cache-0", false);
  EXPECT_EQ(Look().value("state", ""), "NoMaster");
}

TEST_F(SentinelReconcilerTest, OfABackendThatDoesNotRunNothingIsSaid) {
  Look();
  bench_.Annotate(api::kHibernateAnnotation, "true");
  const auto outcome = bench_.Reconcile();
  ASSERT_TRUE(outcome && outcome->ok());
  EXPECT_FALSE((*outcome)->requeue_after.has_value());
  EXPECT_FALSE(bench_.Cluster().at("status").contains("redis"));
}

TEST_F(SentinelReconcilerTest, SilenceIsToldWhenItLasts) {
  Look();
  const auto reports = bench_.sentinels.reports;
  bench_.sentinels.reports.clear();
  EXPECT_EQ(Look().value("state", ""), "Serving");
  EXPECT_EQ(Look().value("state", ""), "Serving");
  const Json status = Look();
  EXPECT_EQ(status.value("state", ""), "SentinelsSilent");
  EXPECT_EQ(status.value("master", ""), "demo-cache-0") << "who it was last";
  EXPECT_THAT(bench_.events.reasons, ElementsAre("SentinelsSilent"));
  // They are back, and have another password.
  bench_.sentinels.reports = reports;
  bench_.sentinels.password = "other";
  bench_.PutSecret("demo-cache-credentials", "keeper-password", "other");
  for (int i = 0; i < 3; ++i) Look();
  EXPECT_EQ(Look().value("state", ""), "Serving");
}

}  // namespace
}  // namespace holdfast::sentinel
