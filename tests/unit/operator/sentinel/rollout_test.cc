// A rolling change of three servers through the reconciler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/v1/annotations.h"
#include "tests/unit/operator/sentinel/simulated_redis.h"

namespace holdfast::sentinel {
namespace {

using std::chrono::seconds;
using storagecluster::CrashingClient;
using testing::ElementsAre;
using testing::IsEmpty;

class RedisRolloutTest : public testing::Test {
 protected:
  RedisRolloutTest() { Step(); }
  void Step() {
    const auto outcome = bench_.Reconcile();
    ASSERT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
    bench_.clock.Advance(seconds{1});
  }
  std::vector<std::string> Leaving() {
    std::vector<std::string> pods;
    for (const std::string& pod : SimulatedRedis::kServers) {
      if (bench_.IsLeaving(pod)) pods.push_back(pod);
    }
    return pods;
  }

  SimulatedRedis bench_;
};

TEST_F(RedisRolloutTest, EachReplicaIsInStepAgainBeforeTheNextAndTheMasterGoesLast) {
  bench_.ChangeTemplate("new");
  Step();
  EXPECT_THAT(Leaving(), ElementsAre("demo-cache-1"));
  EXPECT_EQ(bench_.LastIntent().rollout, "0 of 3 servers are at the new revision; demo-cache-1 is replaced");
  Step();
  EXPECT_THAT(Leaving(), ElementsAre("demo-cache-1"));
  ASSERT_TRUE(bench_.KubeletEndsDeletedPods());
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_THAT(Leaving(), IsEmpty()) << "it does not answer yet";
  bench_.Serve("demo-cache-0");
  ServerReport& replaced = bench_.sentinels.servers.at("demo-cache-1");
  const ServerReport in_step = replaced;
  replaced.syncing = true;
  Step();
  EXPECT_THAT(Leaving(), IsEmpty()) << "it copies everything";
  replaced = in_step;
  bench_.sentinels.servers.at("demo-cache-0").offset += bench_.options.close_bytes + 1;
  Step();
  EXPECT_THAT(Leaving(), IsEmpty()) << "it is far behind";
  EXPECT_EQ(bench_.LastIntent().rollout, "1 of 3 servers are at the new revision; waits until demo-cache-1 is in step");

  bench_.Serve("demo-cache-0");
  Step();
  EXPECT_THAT(Leaving(), ElementsAre("demo-cache-2"));
  bench_.KubeletEndsDeletedPods();
  bench_.Serve("demo-cache-0");
  Step();
  EXPECT_THAT(Leaving(), ElementsAre("demo-cache-0"));
  EXPECT_GT(bench_.Pod("demo-cache-0").at("/metadata/deletionGracePeriodSeconds"_json_pointer), 1)
      << "it has to hand over";
  bench_.KubeletEndsDeletedPods();
  ASSERT_NE(bench_.master(), "demo-cache-0");
  bench_.Serve(bench_.master());
  Step();
  EXPECT_EQ(bench_.RevisionOf("demo-cache-0"), "new");
  EXPECT_EQ(bench_.LastIntent().rollout, "");
  EXPECT_THAT(bench_.events.reasons,
              ElementsAre("MemberReplaced", "MemberReplaced", "MasterHandsOver", "MasterChanged", "RolloutCompleted"));
  EXPECT_THAT(bench_.sentinels.told, IsEmpty());
}

TEST_F(RedisRolloutTest, NothingIsWrittenOnceItIsOver) {
  bench_.ChangeTemplate("new");
  for (int i = 0; i < 20; ++i) {
    Step();
    if (bench_.KubeletEndsDeletedPods()) bench_.Serve(bench_.master());
  }
  for (const std::string& pod : SimulatedRedis::kServers) ASSERT_EQ(bench_.RevisionOf(pod), "new");
  const int writes = bench_.client->writes();
  const std::size_t events = bench_.events.reasons.size();
  for (int i = 0; i < 20; ++i) Step();
  EXPECT_EQ(bench_.client->writes(), writes);
  EXPECT_EQ(bench_.events.reasons.size(), events);
}

TEST_F(RedisRolloutTest, PausedItWaitsAndThenGoesOn) {
  bench_.Annotate(api::kPausedAnnotation, "");
  bench_.ChangeTemplate("new");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(Leaving(), IsEmpty());
  bench_.Annotate(api::kPausedAnnotation, nullptr);
  Step();
  EXPECT_THAT(Leaving(), ElementsAre("demo-cache-1"));
}

TEST_F(RedisRolloutTest, NobodyGoesWhileTheSentinelsFailOverOrAreSilent) {
  bench_.ChangeTemplate("new");
  bench_.ForEachReport([](Report& report) { report.failover = true; });
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_THAT(Leaving(), IsEmpty());
  bench_.sentinels.reports.clear();
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_THAT(Leaving(), IsEmpty());
}

TEST_F(RedisRolloutTest, PodsWithoutARevisionAreLeftAlone) {
  for (const std::string& pod : SimulatedRedis::kServers) {
    const kube::Json no_revision = {{"metadata", {{"labels", {{"controller-revision-hash", nullptr}}}}}};
    ASSERT_TRUE(
        bench_.api.Call("PATCH", "/api/v1/namespaces/default/pods/" + pod, no_revision, "application/merge-patch+json")
            .ok());
  }
  bench_.ChangeTemplate("new");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(Leaving(), IsEmpty());
}

// The operator is killed before and after each of its writes. Whoever comes after it finishes; each server is replaced
// once, and none as the master but the first, last of all.
TEST(RedisRolloutCrash, EveryStepIsResumed) {
  bool crashed = true;
  int crashes = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SCOPED_TRACE("write " + std::to_string(nth));
      SimulatedRedis bench;
      ASSERT_TRUE(bench.Reconcile());
      std::vector<std::string> deleted;
      bench.client->on_write = [&](const std::string& verb, const std::string& target) {
        if (verb == "delete" && (deleted.empty() || deleted.back() != target)) deleted.push_back(target);
        if (verb != "delete" || target.find(bench.master()) == std::string::npos) return;
        EXPECT_EQ(bench.RevisionOf("demo-cache-1"), "new") << "the master was not the last";
        EXPECT_EQ(bench.RevisionOf("demo-cache-2"), "new") << "the master was not the last";
      };
      bench.ChangeTemplate("new");
      bench.client->CrashAt(nth, when);
      crashed = false;
      for (int round = 0; round < 40; ++round) {
        if (!bench.Reconcile()) {
          crashed = true;
          ++crashes;
          bench.StartOperator();
        }
        bench.clock.Advance(seconds{1});
        if (round % 2 == nth % 2 && bench.KubeletEndsDeletedPods()) bench.Serve(bench.master());
      }
      for (const std::string& pod : SimulatedRedis::kServers) EXPECT_EQ(bench.RevisionOf(pod), "new");
      EXPECT_EQ(bench.LastIntent().rollout, "");
      EXPECT_EQ(deleted.size(), 3U);
      EXPECT_EQ(bench.master(), "demo-cache-2");
    }
  }
  EXPECT_GE(crashes, 10);
}

}  // namespace
}  // namespace holdfast::sentinel
