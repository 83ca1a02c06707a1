#include "operator/shards/reconciler.h"

#include "gmock/gmock.h"
#include "tests/unit/operator/shards/reconciler_bench.h"

namespace holdfast::shards {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ShardReconcilerTest : public ::testing::Test, protected ReconcilerBench {};

TEST_F(ShardReconcilerTest, FormsAClusterAndWritesNothingAtRest) {
  EXPECT_EQ(Watch().value("state", ""), "Forming");
  Form();
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("slotsCovered", 0), 16384);
  EXPECT_EQ(status.at("shards").size(), 3u);
  EXPECT_EQ(status.at("members").size(), 6u);
  EXPECT_FALSE(status.contains("message"));
  EXPECT_THAT(events_.reasons, ElementsAre("SlotsServed"));
  const std::string version = Version();
  servers_.told.clear();
  for (int i = 0; i < 10; ++i) Watch();
  EXPECT_EQ(Version(), version);
  EXPECT_THAT(servers_.told, IsEmpty());
}

TEST_F(ShardReconcilerTest, AFailoverIsToldFromItsBeginningToItsEnd) {
  Form();
  Watch();
  events_.reasons.clear();
  servers_.bench.servers.at(2).answers = false;
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  servers_.bench.TakeOver(3);
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("/shards/1/master"_json_pointer, ""), "demo-cache-3");
  EXPECT_THAT(events_.reasons, ElementsAre("FailoverStarted", "MasterChanged", "SlotsServed"));
}

TEST_F(ShardReconcilerTest, AFailoverThatDoesNotEndIsAShardLost) {
  Form();
  Watch();
  servers_.bench.servers.at(2).answers = false;
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  clock_.Advance(std::chrono::seconds(39));
  EXPECT_EQ(Watch().value("state", ""), "FailingOver");
  clock_.Advance(std::chrono::seconds(2));
  const Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "ShardLost");
  EXPECT_THAT(status.value("message", ""), HasSubstr("5461-10921"));
  EXPECT_THAT(events_.reasons, Contains("ShardLost"));
  servers_.bench.servers.at(2).answers = true;
  EXPECT_EQ(Watch().value("state", ""), "Serving");
}

TEST_F(ShardReconcilerTest, SlotsMoveToNewShardsAndThatIsTold) {
  Form();
  Watch();
  events_.reasons.clear();
  const Json more = {
      {{"name", "cache"}, {"redis", {{"mode", "Cluster"}, {"shards", 5}, {"storage", {{"size", "1Gi"}}}}}}};
  const Json patch = {{"spec", {{"backends", Json::array({more.at(0)})}}}};
  ASSERT_TRUE(api_.Call("PATCH", kCluster, patch, "application/merge-patch+json").ok());
  Json status = Watch();
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("slotsToMove", 0), 6554);
  EXPECT_THAT(status.value("message", ""), HasSubstr("6 of 10 servers answer"));
  ShowPods(10);
  servers_.bench.Grow(5);
  servers_.moves = false;
  for (int i = 0; i < 5; ++i) status = Watch();
  EXPECT_EQ(status.value("slotsToMove", 0), 6554);
  EXPECT_FALSE(status.contains("message")) << status;
  servers_.moves = true;
  int looks = 0;
  while (Watch().contains("slotsToMove") && ++looks < 100) EXPECT_EQ(Watch().value("slotsCovered", 0), 16384);
  status = Watch();
  EXPECT_EQ(status.at("shards").size(), 5u);
  EXPECT_EQ(status.value("state", ""), "Serving");
  EXPECT_EQ(status.value("replicasInStep", 0), 5);
  EXPECT_THAT(events_.reasons, ElementsAre("SlotsMoving", "SlotsMoved"));
  const std::string version = Version();
  for (int i = 0; i < 5; ++i) Watch();
  EXPECT_EQ(Version(), version);
}

TEST_F(ShardReconcilerTest, HowFastSlotsMoveIsTheSpecsToSay) {
  Form();
  Watch();
  AskFor({{"shards", 4}, {"cluster", {{"slotsAtOnce", 7}, {"keysAtOnce", 11}, {"movePauseMilliseconds", 13}}}});
  ShowPods(8);
  servers_.bench.Grow(4);
  std::int64_t left = 0;
  for (int i = 0; i < 6; ++i) left = Watch().value("slotsToMove", 0);
  EXPECT_EQ(servers_.limits.slots_at_once, 7U);
  EXPECT_EQ(servers_.limits.keys_at_once, 11U);
  EXPECT_EQ(Reconcile().requeue_after, std::chrono::milliseconds{13});
  EXPECT_EQ(left - 14, Watch().value("slotsToMove", 0));
}

TEST_F(ShardReconcilerTest, SilenceIsToldWhenItLastsAndThePasswordIsReadAnew) {
  Form();
  Watch();
  servers_.password = "other";
  EXPECT_EQ(Watch().value("state", ""), "Serving");
  EXPECT_EQ(Watch().value("state", ""), "Serving");
  EXPECT_EQ(Watch().value("state", ""), "ServersSilent");
  Begun("yes");
  for (int i = 0; i < 3; ++i) Watch();
  EXPECT_EQ(Watch().value("state", ""), "Serving");
}

TEST_F(ShardReconcilerTest, OfABackendThatDoesNotRunNothingIsSaid) {
  Form();
  Watch();
  const Json hibernate = {{"metadata", {{"annotations", {{api::kHibernateAnnotation, "true"}}}}}};
  ASSERT_TRUE(api_.Call("PATCH", kCluster, hibernate, "application/merge-patch+json").ok());
  EXPECT_FALSE(Reconcile().requeue_after.has_value());
  EXPECT_FALSE(Cluster().at("status").contains("redis"));
}

}  // namespace
}  // namespace holdfast::shards
