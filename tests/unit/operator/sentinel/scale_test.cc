// Servers that go because fewer are wanted, through the reconciler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/api/v1/annotations.h"
#include "tests/unit/operator/sentinel/simulated_redis.h"

namespace holdfast::sentinel {
namespace {

using std::chrono::seconds;
using storagecluster::CrashingClient;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class RedisScaleTest : public testing::Test {
 protected:
  // Five, of which demo-cache-4 is the master.
  RedisScaleTest() {
    bench_.WantServers(5);
    bench_.Serve("demo-cache-4");
    Step();
    bench_.events.reasons.clear();
  }
  void Step() {
    const auto outcome = bench_.Reconcile();
    ASSERT_TRUE(outcome && outcome->ok()) << outcome->error().ToString();
    bench_.clock.Advance(seconds{1});
  }
  std::string Said() { return bench_.LastIntent().scaling; }

  SimulatedRedis bench_;
};

TEST_F(RedisScaleTest, TheMasterHandsOverThenPodsGoAndThenTheSentinelsForgetThem) {
  bench_.WantServers(3);
  ASSERT_EQ(bench_.servers().size(), 5U) << "not before they may";
  Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kNeverMaster);
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(Said(), "of 5 servers 3 stay; waits until demo-cache-sentinel-0 knows that demo-cache-3 goes");
  EXPECT_FALSE(bench_.IsLeaving("demo-cache-4"));
  bench_.SentinelsLook();
  Step();
  EXPECT_TRUE(bench_.IsLeaving("demo-cache-4"));
  EXPECT_GT(bench_.Pod("demo-cache-4").at("/metadata/deletionGracePeriodSeconds"_json_pointer), 1)
      << "it has to hand over";
  EXPECT_EQ(Said(), "of 5 servers 3 stay; the master demo-cache-4 hands over");
  Step();
  bench_.MakeObjects();
  ASSERT_EQ(bench_.servers().size(), 5U);

  // It comes back as a replica, which anybody could elect.
  ASSERT_TRUE(bench_.KubeletEndsDeletedPods());
  ASSERT_EQ(bench_.master(), "demo-cache-0");
  bench_.Serve("demo-cache-0");
  Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-4").priority, kNeverMaster);
  bench_.SentinelsLook();
  bench_.sentinels.servers.at("demo-cache-2").syncing = true;
  Step();
  EXPECT_EQ(Said(), "of 5 servers 3 stay; waits until demo-cache-2 is in step");
  bench_.sentinels.servers.at("demo-cache-2").syncing = false;
  Step();
  bench_.MakeObjects();
  ASSERT_EQ(bench_.servers().size(), 3U);

  for (int sentinel = 0; sentinel < 3; ++sentinel) {
    for (int i = 0; i < 3; ++i) Step();
    EXPECT_EQ(bench_.sentinels.reset.size(), static_cast<std::size_t>(sentinel) + 1)
        << "none before the one before it has found everybody";
    bench_.SentinelsLook();
  }
  EXPECT_THAT(bench_.sentinels.reset,
              ElementsAre("demo-cache-sentinel-0", "demo-cache-sentinel-1", "demo-cache-sentinel-2"));
  Step();
  bench_.MakeObjects();
  Step();
  EXPECT_EQ(Said(), "");
  EXPECT_THAT(bench_.events.reasons,
              ElementsAre("MasterHandsOver", "NoMaster", "MasterChanged", "ServersLetGo", "SentinelReset",
                          "SentinelReset", "SentinelReset", "ScaleInCompleted"));
  EXPECT_THAT(bench_.sentinels.told, IsEmpty());
  const int writes = bench_.client->writes();
  for (int i = 0; i < 20; ++i) Step();
  EXPECT_EQ(bench_.client->writes(), writes);
}

TEST_F(RedisScaleTest, PausedItWaitsAndThenGoesOn) {
  bench_.Annotate(api::kPausedAnnotation, "");
  bench_.WantServers(3);
  for (int i = 0; i < 5; ++i) Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kUsualPriority);
  bench_.Annotate(api::kPausedAnnotation, nullptr);
  Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kNeverMaster);
}

TEST_F(RedisScaleTest, ARollingChangeComesFirst) {
  bench_.ChangeTemplate("new");
  bench_.WantServers(3);
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kUsualPriority);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(bench_.KubeletEndsDeletedPods());
    bench_.Serve(bench_.master());
    Step();
  }
  for (const std::string& pod : SimulatedRedis::kServers) EXPECT_EQ(bench_.RevisionOf(pod), "new");
  EXPECT_EQ(bench_.RevisionOf("demo-cache-3"), "old") << "it goes in any case";
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kNeverMaster);
}

TEST_F(RedisScaleTest, WhoWasToGoAndStaysAfterAllMayBeTheMasterAgain) {
  bench_.WantServers(3);
  for (int i = 0; i < 3; ++i) Step();
  bench_.WantServers(5);
  bench_.SentinelsLook();
  for (int i = 0; i < 3; ++i) Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kUsualPriority);
  bench_.SentinelsLook();
  Step();
  EXPECT_EQ(Said(), "");
  EXPECT_EQ(bench_.servers().size(), 5U);
}

TEST_F(RedisScaleTest, AnOrderThatIsRefusedIsGivenAgain) {
  bench_.sentinels.answer = Error(ErrorCode::kUnavailable, "NOPERM");
  bench_.WantServers(3);
  Step();
  EXPECT_THAT(bench_.events.reasons, IsEmpty());
  bench_.sentinels.answer = {};
  bench_.sentinels.servers.at("demo-cache-3").priority = kUsualPriority;
  Step();
  EXPECT_EQ(bench_.sentinels.servers.at("demo-cache-3").priority, kNeverMaster);
}

// The operator is killed before and after each of its writes. Whoever comes after it finishes: the master hands over
// once, each sentinel is reset once, and the pods that go never have the master among them (MakeObjects).
TEST(RedisScaleCrash, EveryStepIsResumed) {
  bool crashed = true;
  int crashes = 0;
  for (int nth = 1; crashed; ++nth) {
    for (const auto when : {CrashingClient::When::kBefore, CrashingClient::When::kAfter}) {
      SCOPED_TRACE("write " + std::to_string(nth));
      SimulatedRedis bench;
      bench.WantServers(5);
      bench.Serve("demo-cache-4");
      ASSERT_TRUE(bench.Reconcile());
      int deleted = 0;
      bench.client->on_write = [&](const std::string& verb, const std::string&) {
        deleted += verb == "delete" ? 1 : 0;
      };
      bench.WantServers(3);
      bench.client->CrashAt(nth, when);
      crashed = false;
      for (int round = 0; round < 60; ++round) {
        if (!bench.Reconcile()) {
          crashed = true;
          ++crashes;
          bench.StartOperator();
        }
        bench.clock.Advance(seconds{1});
        if (round % 2 == nth % 2 && bench.KubeletEndsDeletedPods()) bench.Serve(bench.master());
        if (round % 3 == nth % 3) bench.MakeObjects();
        if (round % 3 == 1) bench.SentinelsLook();
      }
      EXPECT_EQ(bench.servers().size(), 3U);
      EXPECT_EQ(bench.master(), "demo-cache-0");
      EXPECT_EQ(bench.LastIntent().scaling, "");
      EXPECT_EQ(bench.sentinels.reset.size(), 3U);
      EXPECT_LE(deleted, 2) << "a write that is not answered may be tried again";
      EXPECT_THAT(bench.events.reasons, Contains("ScaleInCompleted"));
    }
  }
  EXPECT_GE(crashes, 10);
}

}  // namespace
}  // namespace holdfast::sentinel
