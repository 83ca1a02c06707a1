// A rolling change of two members through the reconciler: `a` leads, `b` is its synchronous standby.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/v1/annotations.h"
#include "tests/unit/operator/failover/simulated_cluster.h"

namespace holdfast::failover {
namespace {

using std::chrono::seconds;
using storagecluster::CrashingClient;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kA = SimulatedCluster::kA;
constexpr const char* kB = SimulatedCluster::kB;

// What kubelet, StatefulSet controller and Patroni do next: a pod that was deleted comes back and follows; who was
// asked to switch over does.
void PlayTheRest(SimulatedCluster& bench) {
  if (bench.KubeletEndsDeletedPods()) {
    bench.LetFollow(bench.Holder());
  } else if (bench.LastIntent().step == steps::kSwitching && !bench.patroni.switchovers.empty() &&
             bench.Holder() == kA) {
    bench.Elect(true);
    bench.LetFollow(kB);
  }
}

class RolloutTest : public testing::Test {
 protected:
  RolloutTest() {
    Step();
    Step();
  }
  void Step() {
    const auto outcome = bench_.Reconcile();
    ASSERT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
    bench_.clock.Advance(seconds{1});
  }
  bool IsLeaving(const char* pod) { return kube::IsBeingDeleted(bench_.Pod(pod)); }

  SimulatedCluster bench_;
};

TEST_F(RolloutTest, ReplicaSwitchoverOldPrimary) {
  bench_.ChangeTemplate("demo-db-2");
  Step();
  EXPECT_TRUE(IsLeaving(kB));
  EXPECT_FALSE(IsLeaving(kA));
  // It asks to be released first, which takes its time.
  EXPECT_GT(bench_.Pod(kB).at("/metadata/deletionGracePeriodSeconds"_json_pointer), 1);
  EXPECT_EQ(bench_.LastIntent().rollout, "0 of 2 members are at the new revision; demo-db-1 is replaced");
  ASSERT_TRUE(bench_.KubeletEndsDeletedPods());
  EXPECT_EQ(bench_.RevisionOf(kB), "demo-db-2");
  // It is starting, and no standby of anybody's yet.
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_FALSE(IsLeaving(kA));
  EXPECT_THAT(bench_.patroni.switchovers, IsEmpty());
  EXPECT_THAT(bench_.LastIntent().rollout, HasSubstr("1 of 2 members are at the new revision; waits until demo-db-1"));

  bench_.LetFollow(kA);
  Step();
  EXPECT_THAT(bench_.patroni.switchovers, ElementsAre("demo-db-0 -> demo-db-1"));
  EXPECT_EQ(bench_.LastIntent().step, steps::kSwitching);
  EXPECT_EQ(bench_.LastIntent().from, kA);
  EXPECT_EQ(bench_.LastIntent().to, kB);
  EXPECT_FALSE(IsLeaving(kA));
  ASSERT_TRUE(bench_.Elect(true));
  bench_.LetFollow(kB);
  Step();
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverCompleted");
  Step();
  EXPECT_TRUE(IsLeaving(kA));
  EXPECT_FALSE(IsLeaving(kB));
  PlayTheRest(bench_);
  Step();
  EXPECT_EQ(bench_.RevisionOf(kA), "demo-db-2");
  EXPECT_EQ(bench_.LastIntent().rollout, "");
  EXPECT_THAT(bench_.events.reasons, ElementsAre("MemberReplaced", "SwitchoverStarted", "SwitchoverCompleted",
                                                 "MemberReplaced", "RolloutCompleted"));
}

TEST_F(RolloutTest, NothingIsWrittenOnceItIsOver) {
  bench_.ChangeTemplate("demo-db-2");
  for (int i = 0; i < 20; ++i) {
    Step();
    PlayTheRest(bench_);
  }
  ASSERT_EQ(bench_.RevisionOf(kA), "demo-db-2");
  const std::size_t events = bench_.events.reasons.size();
  const int writes = bench_.client->writes();
  for (int i = 0; i < 100; ++i) Step();
  EXPECT_EQ(bench_.client->writes(), writes);
  EXPECT_EQ(bench_.events.reasons.size(), events);
}

// A pod that nobody gave a revision is not known to be outdated; ended, it would come back the same for ever.
TEST_F(RolloutTest, PodsWithoutARevisionAreLeftAlone) {
  for (const char* pod : {kA, kB}) {
    const kube::Json no_revision = {{"metadata", {{"labels", {{"controller-revision-hash", nullptr}}}}}};
    ASSERT_TRUE(bench_.api
                    .Call("PATCH", std::string("/api/v1/namespaces/default/pods/") + pod, no_revision,
                          "application/merge-patch+json")
                    .ok());
  }
  bench_.ChangeTemplate("demo-db-2");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_FALSE(IsLeaving(kA));
  EXPECT_FALSE(IsLeaving(kB));
  EXPECT_THAT(bench_.events.reasons, IsEmpty());
}

TEST_F(RolloutTest, PausedItWaitsAndThenGoesOn) {
  bench_.Annotate(api::kPausedAnnotation, "");
  bench_.ChangeTemplate("demo-db-2");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_FALSE(IsLeaving(kB));
  bench_.Annotate(api::kPausedAnnotation, nullptr);
  Step();
  EXPECT_TRUE(IsLeaving(kB));
}

TEST_F(RolloutTest, ADeadPrimaryGoesBeforeIt) {
  bench_.ChangeTemplate("demo-db-2");
  bench_.EndContainer(kA);
  Step();
  EXPECT_EQ(bench_.Holder(), "");
  EXPECT_FALSE(IsLeaving(kA));
  EXPECT_FALSE(IsLeaving(kB));
  ASSERT_TRUE(bench_.Elect());
  Step();
  // Its container does not run, and it is of the former template.
  EXPECT_EQ(bench_.LastIntent().primary, kB);
  EXPECT_TRUE(IsLeaving(kA));
}

TEST_F(RolloutTest, ARefusedSwitchoverIsTriedAgainLaterAndNotAtOnce) {
  bench_.ChangeTemplate("demo-db-2");
  Step();
  PlayTheRest(bench_);
  bench_.patroni.switchover_answer = Error(ErrorCode::kFailedPrecondition, "no");
  for (int i = 0; i < 30; ++i) Step();
  EXPECT_EQ(bench_.patroni.switchovers.size(), 1U);
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverFailed");
  EXPECT_FALSE(IsLeaving(kA));
  bench_.patroni.switchover_answer = {};
  for (int i = 0; i < 40; ++i) Step();
  EXPECT_GE(bench_.patroni.switchovers.size(), 2U);
  EXPECT_EQ(bench_.LastIntent().step, steps::kSwitching);
}

TEST_F(RolloutTest, AWishForASwitchoverOutlastsThatOfTheRollout) {
  bench_.ChangeTemplate("demo-db-2");
  Step();
  PlayTheRest(bench_);
  Step();
  ASSERT_EQ(bench_.LastIntent().step, steps::kSwitching);
  bench_.Annotate(api::kSwitchoverAnnotation, kA);
  PlayTheRest(bench_);
  Step();
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverCompleted");
  const kube::Json cluster = bench_.Get("/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo");
  EXPECT_EQ(kube::StringAt(cluster, "/metadata/annotations/storage.holdfast.dev~1switchover"), kA);
}

TEST_F(RolloutTest, AChangeThatIsTakenBackEndsIt) {
  bench_.ChangeTemplate("demo-db-2");
  Step();
  ASSERT_TRUE(IsLeaving(kB));
  bench_.ChangeTemplate("demo-db-1");
  PlayTheRest(bench_);
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.LastIntent().rollout, "");
  EXPECT_FALSE(IsLeaving(kA));
  EXPECT_THAT(bench_.patroni.switchovers, IsEmpty());
}

TEST_F(RolloutTest, ASingleMemberIsReplacedAndNoFailureIsToldOf) {
  const std::string servers = "/apis/apps/v1/namespaces/default/statefulsets/demo-db";
  ASSERT_TRUE(bench_.api.Call("PATCH", servers, {{"spec", {{"replicas", 1}}}}, "application/merge-patch+json").ok());
  ASSERT_TRUE(
      bench_.api.Call("DELETE", std::string("/api/v1/namespaces/default/pods/") + kB, {{"gracePeriodSeconds", 0}})
          .ok());
  ASSERT_TRUE(bench_.api
                  .Call("PATCH", "/api/v1/namespaces/default/configmaps/demo-db-sync",
                        {{"metadata", {{"annotations", {{"sync_standby", nullptr}}}}}}, "application/merge-patch+json")
                  .ok());
  bench_.ChangeTemplate("demo-db-2");
  Step();
  ASSERT_TRUE(IsLeaving(kA));
  bench_.EndContainer(kA);
  for (int i = 0; i < 5; ++i) Step();
  PlayTheRest(bench_);
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.RevisionOf(kA), "demo-db-2");
  EXPECT_EQ(bench_.LastIntent().rollout, "");
  EXPECT_THAT(bench_.events.reasons, ElementsAre("MemberReplaced", "RolloutCompleted"));
}

// The operator is killed before and after each of its writes, and every second time Patroni carries the switchover out
// before anybody looks again. Whoever comes after it finishes; each member is replaced once, and none as the primary.
TEST(RolloutCrash, EveryStepIsResumed) {
  bool crashed = true;
  int crashes = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SCOPED_TRACE("write " + std::to_string(nth));
      SimulatedCluster bench;
      ASSERT_TRUE(bench.Reconcile() && bench.Reconcile());
      std::vector<std::string> deleted;
      bench.client->on_write = [&](const std::string& verb, const std::string& target) {
        if (verb != "delete") return;
        EXPECT_EQ(target.find(bench.Holder()), std::string::npos) << "the primary was deleted";
        deleted.push_back(target);
      };
      bench.ChangeTemplate("demo-db-2");
      bench.client->CrashAt(nth, when);
      crashed = false;
      for (int round = 0; round < 40; ++round) {
        if (!bench.Reconcile()) {
          crashed = true;
          ++crashes;
          bench.StartOperator();
        }
        bench.clock.Advance(seconds{1});
        if (round % 2 == nth % 2) PlayTheRest(bench);
      }
      EXPECT_EQ(bench.RevisionOf(kA), "demo-db-2");
      EXPECT_EQ(bench.RevisionOf(kB), "demo-db-2");
      EXPECT_EQ(bench.Holder(), kB);
      EXPECT_EQ(bench.LastIntent().rollout, "");
      EXPECT_EQ(bench.LastIntent().step, steps::kDone);
      // A delete that was not carried out was tried again.
      EXPECT_LE(deleted.size(), crashed ? 3U : 2U);
    }
  }
  EXPECT_GE(crashes, 10);
}

}  // namespace
}  // namespace holdfast::failover
