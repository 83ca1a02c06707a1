#include "operator/failover/reconciler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "operator/api/v1/annotations.h"
#include "tests/unit/operator/failover/simulated_cluster.h"

namespace holdfast::failover {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storagecluster::CrashingClient;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kA = SimulatedCluster::kA;
constexpr const char* kB = SimulatedCluster::kB;

class ReconcilerTest : public testing::Test {
 protected:
  void Step() {
    const auto outcome = bench_.Reconcile();
    ASSERT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
  }
  // Sees `a` serve, twice: the second time it is at rest.
  void Settle() {
    Step();
    Step();
    ASSERT_EQ(bench_.LastIntent().primary, kA);
  }
  std::uint64_t Writes() {
    std::uint64_t requests = 0;
    for (const auto& [verb, count] : bench_.api.Writes("holdfast-operator")) requests += count.requests;
    return requests;
  }

  SimulatedCluster bench_;
};

TEST_F(ReconcilerTest, AtRestItWritesNothingAndReadsOnlyTheMember) {
  Settle();
  EXPECT_TRUE(bench_.LastIntent().ready);
  const std::uint64_t before = Writes();
  for (int i = 0; i < 100; ++i) {
    bench_.clock.Advance(seconds{1});
    Step();
  }
  EXPECT_EQ(Writes(), before);
}

TEST_F(ReconcilerTest, AContainerThatEndedIsFollowedByItsSynchronousStandby) {
  Settle();
  bench_.EndContainer(kA);
  Step();
  EXPECT_EQ(bench_.Holder(), "");
  Intent intent = bench_.LastIntent();
  EXPECT_EQ(intent.step, steps::kPromoting);
  EXPECT_EQ(intent.from, kA);
  EXPECT_EQ(intent.to, kB);
  EXPECT_EQ(intent.epoch, 1);
  ASSERT_TRUE(bench_.Elect());
  Step();
  intent = bench_.LastIntent();
  EXPECT_EQ(intent.step, steps::kDone);
  EXPECT_EQ(intent.primary, kB);
  EXPECT_EQ(intent.reason, "PrimaryEnded");
  EXPECT_FALSE(intent.finished_at.empty());
  // Its successor has no synchronous standby yet.
  EXPECT_FALSE(intent.ready);
  EXPECT_THAT(bench_.events.reasons, ElementsAre("FailoverStarted", "FailoverCompleted"));
}

TEST_F(ReconcilerTest, AContainerThatWasStartedAgainHasEndedToo) {
  Settle();
  // As the kubelet shows it afterwards, without anybody having looked in between.
  const kube::Json pod = bench_.Pod(kA);
  bench_.patroni.reports["10.0.0.0"] = {"starting", false, 1, 0, {}};
  const kube::Json status = {{"name", "postgres"},
                             {"containerID", "test://77"},
                             {"restartCount", 1},
                             {"state", {{"running", {{"startedAt", "2096-10-02T07:06:50Z"}}}}},
                             {"lastState", {{"terminated", {{"containerID", ContainerIdOf(pod)}, {"exitCode", 137}}}}}};
  ASSERT_TRUE(bench_.api
                  .Call("PATCH", std::string("/api/v1/namespaces/default/pods/") + kA + "/status",
                        {{"status", {{"containerStatuses", kube::Json::array({status})}}}},
                        "application/merge-patch+json")
                  .ok());
  Step();
  EXPECT_EQ(bench_.Holder(), "");
}

TEST_F(ReconcilerTest, ASilentPrimaryIsEndedBeforeAnybodyFollows) {
  Settle();
  bench_.patroni.reports.erase("10.0.0.0");
  bench_.write_path.answer = WritePath::kStuck;
  Step();
  EXPECT_FALSE(kube::IsBeingDeleted(bench_.Pod(kA)));
  bench_.clock.Advance(seconds{3});
  Step();
  EXPECT_TRUE(kube::IsBeingDeleted(bench_.Pod(kA)));
  EXPECT_EQ(bench_.Pod(kA).at("/metadata/deletionGracePeriodSeconds"_json_pointer), 1);
  EXPECT_EQ(bench_.LastIntent().step, steps::kFencing);
  EXPECT_EQ(bench_.LastIntent().from_uid, kube::UidOf(bench_.Pod(kA)));
  // Nobody has confirmed it.
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_EQ(bench_.Holder(), kA);
  bench_.clock.Advance(seconds{11});
  Step();
  EXPECT_EQ(bench_.LastIntent().reason, "FenceUnconfirmed");
  EXPECT_EQ(bench_.Holder(), kA);
  ASSERT_TRUE(bench_.KubeletEndsDeletedPods());
  Step();
  EXPECT_EQ(bench_.Holder(), "");
  ASSERT_TRUE(bench_.Elect());
  Step();
  EXPECT_EQ(bench_.LastIntent().primary, kB);
  EXPECT_EQ(bench_.LastIntent().epoch, 1);
}

TEST_F(ReconcilerTest, APodThatVanishedProvesNothing) {
  Settle();
  bench_.patroni.reports.erase("10.0.0.0");
  // kubectl delete --force: the object goes, the processes may not.
  ASSERT_TRUE(
      bench_.api.Call("DELETE", std::string("/api/v1/namespaces/default/pods/") + kA, {{"gracePeriodSeconds", 0}})
          .ok());
  bench_.write_path.answer = WritePath::kStuck;
  for (int i = 0; i < 60; ++i) {
    bench_.clock.Advance(seconds{1});
    Step();
  }
  EXPECT_EQ(bench_.Holder(), kA);
  EXPECT_EQ(bench_.LastIntent().step, steps::kWaiting);
  EXPECT_EQ(bench_.LastIntent().reason, "UnprovenDeath");
  // Its time is up, and Patroni's members elect by themselves.
  ASSERT_TRUE(bench_.Elect(true));
  Step();
  EXPECT_EQ(bench_.LastIntent().step, steps::kDone);
  EXPECT_EQ(bench_.LastIntent().primary, kB);
}

TEST_F(ReconcilerTest, ALockThatWasRenewedMeanwhileIsNotCleared) {
  Settle();
  bench_.EndContainer(kA);
  // Patroni of the container that was started again renews the lock behind our reading of it.
  bench_.client->on_write = [this](const std::string& verb, const std::string& target) {
    if (verb != "patch" || target.find("demo-db-leader") == std::string::npos) return;
    bench_.client->on_write = nullptr;
    ASSERT_TRUE(bench_.api
                    .Call("PATCH", "/api/v1/namespaces/default/configmaps/demo-db-leader",
                          {{"metadata", {{"annotations", {{"renewTime", "2096-10-02T07:06:59+00:00"}}}}}},
                          "application/merge-patch+json")
                    .ok());
    bench_.patroni.reports["10.0.0.0"] = {"running", true, 1, 100, {}};
  };
  Step();
  EXPECT_EQ(bench_.client->on_write, nullptr);
  EXPECT_EQ(bench_.Holder(), kA);
}

TEST_F(ReconcilerTest, SwitchedOffItOnlyTells) {
  Settle();
  bench_.Annotate(api::kPausedAnnotation, "");
  bench_.EndContainer(kA);
  Step();
  EXPECT_EQ(bench_.Holder(), kA);
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchedOff");
  bench_.Annotate(api::kPausedAnnotation, nullptr);
  Step();
  EXPECT_EQ(bench_.Holder(), "");
}

TEST_F(ReconcilerTest, WithoutSynchronousStandbyItRefusesOnceAndSaysWhy) {
  Settle();
  ASSERT_TRUE(bench_.api
                  .Call("PATCH", "/api/v1/namespaces/default/configmaps/demo-db-sync",
                        {{"metadata", {{"annotations", {{"sync_standby", nullptr}}}}}}, "application/merge-patch+json")
                  .ok());
  bench_.EndContainer(kA);
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.Holder(), kA);
  EXPECT_EQ(bench_.LastIntent().step, steps::kRefused);
  EXPECT_EQ(bench_.LastIntent().reason, "NoSynchronousStandby");
  EXPECT_THAT(bench_.events.reasons, ElementsAre("FailoverRefused"));
}

TEST_F(ReconcilerTest, ASwitchoverIsAskedOfPatroniAndItsWishTakenAway) {
  Settle();
  bench_.Annotate(api::kSwitchoverAnnotation, kB);
  Step();
  EXPECT_THAT(bench_.patroni.switchovers, ElementsAre("demo-db-0 -> demo-db-1"));
  EXPECT_EQ(bench_.LastIntent().step, steps::kSwitching);
  ASSERT_TRUE(bench_.Elect(true));
  bench_.patroni.reports["10.0.0.0"] = {"running", false, 2, 100, {}};
  Step();
  EXPECT_EQ(bench_.LastIntent().step, steps::kDone);
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverCompleted");
  EXPECT_EQ(bench_.LastIntent().to, kB);
  const kube::Json cluster = bench_.Get("/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo");
  EXPECT_EQ(kube::StringAt(cluster, "/metadata/annotations/storage.holdfast.dev~1switchover"), "");
  Step();
  EXPECT_EQ(bench_.patroni.switchovers.size(), 1U);
}

TEST_F(ReconcilerTest, ASwitchoverThatPatroniRefusesIsOver) {
  Settle();
  bench_.patroni.switchover_answer = Error(ErrorCode::kFailedPrecondition, "no good candidates have been found");
  bench_.Annotate(api::kSwitchoverAnnotation, "");
  Step();
  EXPECT_EQ(bench_.LastIntent().step, steps::kDone);
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverFailed");
  EXPECT_THAT(bench_.LastIntent().message, testing::HasSubstr("no good candidates"));
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.patroni.switchovers.size(), 1U);
}

TEST_F(ReconcilerTest, ASwitchoverToNobodyOrToThePrimaryIsRefused) {
  Settle();
  for (const char* wanted : {kA, "demo-db-9"}) {
    bench_.Annotate(api::kSwitchoverAnnotation, wanted);
    for (int i = 0; i < 3; ++i) Step();
    EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverFailed") << wanted;
    EXPECT_THAT(bench_.patroni.switchovers, IsEmpty());
  }
}

TEST_F(ReconcilerTest, ASwitchoverWaitsForTheFirstSynchronousStandby) {
  for (const char* wanted : {kB, ""}) {
    SCOPED_TRACE(wanted);
    Settle();
    bench_.PutMap("demo-db-sync", {{"leader", kA}, {"sync_standby", nullptr}});
    const std::size_t before = bench_.patroni.switchovers.size();
    bench_.Annotate(api::kSwitchoverAnnotation, wanted);
    for (int i = 0; i < 3; ++i) Step();
    EXPECT_EQ(bench_.LastIntent().step, steps::kSwitching);
    EXPECT_EQ(bench_.patroni.switchovers.size(), before);
    bench_.PutMap("demo-db-sync", {{"leader", kA}, {"sync_standby", kB}});
    Step();
    EXPECT_EQ(bench_.patroni.switchovers.size(), before + 1);
    bench_.patroni.switchover_answer = Error(ErrorCode::kFailedPrecondition, "enough");
    Step();
    bench_.patroni.switchover_answer = {};
  }
}

TEST_F(ReconcilerTest, ASwitchoverToAStandbyThatNoCommitWaitsForIsRefusedWithThoseThatMay) {
  Settle();
  bench_.PutMap("demo-db-sync", {{"leader", kA}, {"sync_standby", "demo-db-2"}});
  bench_.Annotate(api::kSwitchoverAnnotation, kB);
  Step();
  EXPECT_EQ(bench_.LastIntent().reason, "SwitchoverFailed");
  EXPECT_THAT(bench_.LastIntent().message, testing::HasSubstr("ask for one that is (demo-db-2)"));
  EXPECT_THAT(bench_.patroni.switchovers, IsEmpty());
}

// K23: the operator is killed before and after each of its writes, for a primary that ended and for one that has to be
// ended. Whoever comes after it finishes, never clears the lock of a primary that is not proven dead, and deletes one
// pod at most.
struct CrashCase {
  const char* name;
  bool frozen;
};
void PrintTo(const CrashCase& test, std::ostream* out) {
  *out << test.name;
}

class CrashTest : public testing::TestWithParam<CrashCase> {};

TEST_P(CrashTest, EveryStepIsResumed) {
  bool crashed = true;
  int crashes = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SimulatedCluster bench;
      ASSERT_TRUE(bench.Reconcile() && bench.Reconcile());
      bool ended = false;
      int deletions = 0;
      bench.client->on_write = [&](const std::string& verb, const std::string& target) {
        if (verb == "delete") ++deletions;
        if (verb == "patch" && target.find("demo-db-leader") != std::string::npos) {
          EXPECT_TRUE(ended) << "the lock of a primary that may live was cleared";
        }
      };
      if (GetParam().frozen) {
        bench.patroni.reports.erase("10.0.0.0");
        bench.write_path.answer = WritePath::kStuck;
      } else {
        bench.EndContainer(kA);
        ended = true;
      }
      bench.client->CrashAt(nth, when);
      crashed = false;
      for (int round = 0; round < 60 && bench.LastIntent().primary != kB; ++round) {
        const auto outcome = bench.Reconcile();
        if (!outcome) {
          crashed = true;
          ++crashes;
          bench.StartOperator();
        }
        if (round % 3 == 2) {
          bench.clock.Advance(seconds{2});
          ended = bench.KubeletEndsDeletedPods() || ended;
          // What nobody helps on ends by itself.
          bench.Elect(ended && round > 40);
        }
      }
      EXPECT_EQ(bench.LastIntent().primary, kB) << nth;
      EXPECT_EQ(bench.LastIntent().step, steps::kDone) << nth;
      EXPECT_LE(deletions, GetParam().frozen ? 2 : 0) << nth;
    }
  }
  EXPECT_GE(crashes, 4);
}

INSTANTIATE_TEST_SUITE_P(Primary, CrashTest, testing::Values(CrashCase{"ended", false}, CrashCase{"frozen", true}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace holdfast::failover
