// Redis servers with sentinels become five and three again under load, while the master is one of those that go.
#include <iostream>

#include "tests/integration/local/local_sentinel_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using Clock = std::chrono::steady_clock;

class LocalRedisScaleTest : public LocalSentinelTest {
 protected:
  static json Servers(std::int64_t number) {
    json redis = Redis("512Mi");
    redis["instances"] = number;
    return {{"spec", {{"backends", json::array({{{"name", "local"}, {"redis", std::move(redis)}}})}}}};
  }
  static std::size_t Count(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++count;
    return count;
  }
  static std::string Name(int number) { return "demo-local-" + std::to_string(number); }
  // So many, the master among them, and no others.
  bool AreInStep(int servers) const {
    const std::string master = Master();
    if (master.empty()) return false;
    const std::string followers = "connected_slaves:" + std::to_string(servers - 1) + "\r";
    if (Ask(master, 6379, "keeper", "info replication").find(followers) == std::string::npos) return false;
    for (int i = 0; i < servers; ++i) {
      if (!PodReady(Name(i))) return false;
    }
    return true;
  }
  // In all that the sentinels say of replicas.
  std::size_t SentinelsSay(const std::string& what) const {
    std::size_t count = 0;
    for (int i = 0; i < 3; ++i) {
      count +=
          Count(Ask("demo-local-sentinel-" + std::to_string(i), 26379, "sentinel", "sentinel replicas main"), what);
    }
    return count;
  }
  void Pause(bool pause) const {
    Patch({{"metadata", {{"annotations", {{"storage.holdfast.dev/paused", pause ? json("") : json(nullptr)}}}}}});
  }
  // Of five. While the operator is paused nobody else says who may be the master.
  void MakeOneOfTheLastTheMaster() {
    Pause(true);
    const std::string former = Master();
    std::size_t marked = 0;
    for (int i = 0; i < 3; ++i) {
      if (Name(i) == former) continue;
      Ask(Name(i), 6379, "keeper", "config set replica-priority 0");
      ++marked;
    }
    ASSERT_TRUE(Eventually([&] { return SentinelsSay("slave-priority\n0\n") == 3 * marked; }, kPatience));
    if (former < Name(3)) Delete(PathOf(former));
    ASSERT_TRUE(Eventually([&] { return Master() >= Name(3); }, kPatience)) << WhatIsWrong();
    Pause(false);
    ASSERT_TRUE(Eventually([&] { return AreInStep(5); }, kPatience)) << WhatIsWrong();
    // The operator finds that those three stay.
    ASSERT_TRUE(Eventually([&] { return SentinelsSay("slave-priority\n0\n") == 0; }, kPatience)) << WhatIsWrong();
  }
  bool IsThere(const std::string& target) const { return Ask(Event("api")["server"], "GET", target).status == 200; }
};

TEST_F(LocalRedisScaleTest, redis_sentinel_ThreeBecomeFiveAndThreeAgainAndNothingIsLost) {
  StartInStep();
  if (HasFatalFailure()) return;
  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 50));
  Patch(Servers(5));
  ASSERT_TRUE(Eventually([&] { return AreInStep(5) && SentinelsSay("slave-priority\n") == 12; }, kPatience))
      << WhatIsWrong();
  MakeOneOfTheLastTheMaster();
  if (HasFatalFailure()) return;
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  const std::string last = Master();
  const int switches = Switches();

  const auto asked_at = Clock::now();
  Patch(Servers(3));
  ASSERT_TRUE(Eventually([&] { return EventText().find("ScaleInCompleted") != std::string::npos; }, kPatience))
      << WhatIsWrong();
  const auto is_settled = [&] {
    return Object(kCluster).value("/status/failover/0/scaling"_json_pointer, "").empty() &&
           !IsThere("/api/v1/namespaces/default/services/" + Name(4));
  };
  ASSERT_TRUE(Eventually(is_settled, kPatience)) << WhatIsWrong();
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - asked_at);
  EXPECT_THAT(EventText(), HasSubstr("the master " + last + " hands over"));
  EXPECT_LT(Master(), Name(3));
  EXPECT_TRUE(Eventually([&] { return AreInStep(3); }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  // Nobody knows those that went; their volumes are kept.
  EXPECT_EQ(SentinelsSay("slave-priority\n"), 6U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Ask("demo-local-sentinel-" + std::to_string(i), 26379, "sentinel", "sentinel master main"),
                HasSubstr("num-other-sentinels\n2\n"));
  }
  for (int i = 3; i < 5; ++i) {
    EXPECT_FALSE(IsThere(PathOf(Name(i))));
    EXPECT_FALSE(IsThere("/api/v1/namespaces/default/services/" + Name(i)));
    EXPECT_TRUE(IsThere(std::string(kClaims) + "/redisdata-" + Name(i)));
  }
  EXPECT_TRUE(Eventually([&] { return StatusNames(Master()); }, kPatience)) << WhatIsWrong();
  load.Stop();

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  // Masters that hand over lose nothing. On a machine that is too busy a sentinel finds a server down that is not, and
  // a server that ends is not answered in time to hand over.
  const int changes = Switches() - switches;
  const bool undisturbed = changes == 1 && AllHandedOver();
  const WriteHistory::Window window = undisturbed ? WriteHistory::Window{} : WriteHistory::Window{began, Clock::now()};
  EXPECT_THAT(load.history().Complaints(found, window), IsEmpty());
  std::cout << "five became three in " << taken.count() << " ms, " << (undisturbed ? "" : "not ")
            << "undisturbed, with " << changes << " changes of the master; " << load.history().Lost(found) << " of "
            << load.history().counts().acknowledged << " acknowledged writes lost\n";

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
