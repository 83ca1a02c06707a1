// Masters that end, through the reconciler: when the sentinels are told, and when they are left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/v1/annotations.h"
#include "tests/unit/operator/sentinel/simulated_redis.h"

namespace holdfast::sentinel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using storagecluster::CrashingClient;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class HastenTest : public testing::Test {
 protected:
  HastenTest() { Step(); }
  void Step() {
    const auto outcome = bench_.Reconcile();
    ASSERT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
    bench_.clock.Advance(milliseconds{500});
  }

  SimulatedRedis bench_;
};

TEST_F(HastenTest, AMasterWhoseContainerHasEndedIsReplacedAtOnceAndOnce) {
  bench_.EndContainer("demo-cache-0");
  bench_.sentinels.on_told = [&] {
    EXPECT_EQ(bench_.LastIntent().step, failover::steps::kPromoting) << "it has to stand there before";
  };
  Step();
  EXPECT_THAT(bench_.sentinels.told, ElementsAre("demo-cache-sentinel-0"));
  const failover::Intent intent = bench_.LastIntent();
  EXPECT_EQ(intent.step, failover::steps::kPromoting);
  EXPECT_EQ(intent.from, "demo-cache-0");
  EXPECT_EQ(intent.reason, "MasterEnded");
  EXPECT_FALSE(intent.ready);
  EXPECT_THAT(bench_.events.reasons, Contains("FailoverHastened"));
  // It takes its time.
  for (int i = 0; i < 10; ++i) Step();
  bench_.ForEachReport([](Report& report) { report.failover = true; });
  for (int i = 0; i < 10; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(1));
  bench_.Serve("demo-cache-1");
  Step();
  const failover::Intent done = bench_.LastIntent();
  EXPECT_EQ(done.step, failover::steps::kDone);
  EXPECT_EQ(done.to, "demo-cache-1");
  EXPECT_EQ(done.primary, "demo-cache-1");
  EXPECT_TRUE(done.ready);
  EXPECT_EQ(done.epoch, 1);
}

TEST_F(HastenTest, AContainerThatWasStartedAgainHasEndedAllTheSame) {
  bench_.EndContainer("demo-cache-0");
  // Before anybody looked; it is reading its data.
  const auto running = kube::Json::array({{{"name", "redis"},
                                           {"containerID", "test://anew"},
                                           {"state", {{"running", {{"startedAt", "2023-11-14T22:13:21Z"}}}}}}});
  ASSERT_TRUE(bench_.api
                  .Call("PATCH", "/api/v1/namespaces/default/pods/demo-cache-0/status",
                        {{"status", {{"containerStatuses", running}}}}, "application/merge-patch+json")
                  .ok());
  Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(1));
  EXPECT_EQ(bench_.LastIntent().reason, "MasterEnded");
}

TEST_F(HastenTest, APodThatVanishedIsReplacedOnceTheSentinelsHearNothingOfIt) {
  bench_.Vanish("demo-cache-0");
  Step();
  EXPECT_THAT(bench_.sentinels.told, IsEmpty()) << "its process may be there";
  bench_.ForEachReport([](Report& report) { report.silent = seconds{3}; });
  Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(1));
  EXPECT_EQ(bench_.LastIntent().reason, "MasterVanished");
}

// The operator may be the one who is cut off.
TEST_F(HastenTest, WhatDoesNotAnswerIsLeftToTheSentinels) {
  bench_.sentinels.servers.erase("demo-cache-0");
  bench_.SetReady("demo-cache-0", false);
  bench_.ForEachReport([](Report& report) { report.down = true; });
  for (int i = 0; i < 10; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, IsEmpty());
  EXPECT_EQ(bench_.Said().value("state", ""), "NoMaster");
  EXPECT_THAT(bench_.LastIntent().kind, IsEmpty());
}

TEST_F(HastenTest, AMasterThatComesBackEndsIt) {
  bench_.EndContainer("demo-cache-0");
  bench_.sentinels.answer = Error(ErrorCode::kInternal, "NOGOODSLAVE");
  Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(3)) << "none of them";
  EXPECT_THAT(bench_.events.reasons, Not(Contains("FailoverHastened")));
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(3));
  bench_.Serve("demo-cache-0");
  Step();
  EXPECT_EQ(bench_.LastIntent().step, failover::steps::kDone);
  EXPECT_EQ(bench_.LastIntent().to, "demo-cache-0");
}

TEST_F(HastenTest, OfWhomNobodyKnowsWhetherItBeganNoOtherIsAsked) {
  bench_.sentinels.answer = Error(ErrorCode::kOutcomeUnknown, "lost");
  bench_.EndContainer("demo-cache-0");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, SizeIs(1));
}

TEST_F(HastenTest, PausedOrByHandNothingIsTold) {
  bench_.Annotate(api::kPausedAnnotation, "");
  bench_.EndContainer("demo-cache-0");
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, IsEmpty());
  bench_.Annotate(api::kPausedAnnotation, nullptr);
  const kube::Json manual = {{"spec", {{"failover", {{"mode", "Manual"}}}}}};
  ASSERT_TRUE(bench_.api
                  .Call("PATCH", "/apis/storage.holdfast.dev/v1/namespaces/default/storageclusters/demo", manual,
                        "application/merge-patch+json")
                  .ok());
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_THAT(bench_.sentinels.told, IsEmpty());
}

// The operator is killed before and after each of its writes, the one before a sentinel is told among them: nobody
// tells a second one.
TEST(HastenCrash, NobodyIsToldTwice) {
  bool crashed = true;
  int crashes = 0;
  int told = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SCOPED_TRACE("write " + std::to_string(nth));
      SimulatedRedis bench;
      ASSERT_TRUE(bench.Reconcile());
      bench.EndContainer("demo-cache-0");
      bench.client->CrashAt(nth, when);
      crashed = false;
      for (int round = 0; round < 10; ++round) {
        if (!bench.Reconcile()) {
          crashed = true;
          ++crashes;
          bench.StartOperator();
        }
        bench.clock.Advance(milliseconds{500});
      }
      EXPECT_LE(bench.sentinels.told.size(), 1U);
      told += static_cast<int>(bench.sentinels.told.size());
      EXPECT_EQ(bench.LastIntent().from, "demo-cache-0");
      bench.Serve("demo-cache-1");
      if (!bench.Reconcile()) {
        crashed = true;
        ++crashes;
        bench.StartOperator();
        ASSERT_TRUE(bench.Reconcile());
      }
      EXPECT_EQ(bench.LastIntent().step, failover::steps::kDone);
      EXPECT_EQ(bench.LastIntent().epoch, 1);
    }
  }
  EXPECT_GE(crashes, 4);
  EXPECT_GE(told, 4);
}

}  // namespace
}  // namespace holdfast::sentinel
