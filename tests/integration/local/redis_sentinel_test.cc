// Redis servers and sentinels by the operator: a master that is ended in order, one that is killed with its volume
// while its replicas are killed too, and a change that restarts every server, all under load.
#include <iostream>

#include "tests/integration/local/local_sentinel_fixture.h"
#include "tests/waiting/eventually.h"

namespace holdfast::local {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Clock = std::chrono::steady_clock;

TEST_F(LocalSentinelTest, redis_sentinel_MastersComeAndGoAndNoneIsEverEmpty) {
  StartInStep();
  if (HasFatalFailure()) return;
  EXPECT_EQ(Master(), "demo-local-0");
  EXPECT_EQ(File("initialized"), "yes");
  const json backend = Object(kCluster).at("/status/backends/0"_json_pointer);
  EXPECT_EQ(backend.value("endpoint", ""), "demo-local-sentinel.default.svc:26379");
  EXPECT_EQ(backend.value("sentinels", 0), 3);
  EXPECT_TRUE(Eventually([&] { return StatusNames("demo-local-0"); }, kPatience)) << WhatIsWrong();

  const auto began = Clock::now();
  AuditedLoad load(Service());
  ASSERT_TRUE(Acknowledges(load, 50));

  // Ended in order it hands over, and nothing is lost.
  const std::string first = Master();
  const std::string first_uid = UidOf(first);
  Delete(PathOf(first));
  ASSERT_TRUE(Eventually([&] { return !Master().empty() && Master() != first; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf(first) != first_uid && AllInStep(); }, kPatience)) << WhatIsWrong();

  // Killed, and its volume is gone: it comes back empty, while the sentinels still name it. The replicas are killed
  // right after it, so that none of them can be in step before it has to be elected.
  const std::string second = Master();
  const std::string second_uid = UidOf(second);
  const auto killed_at = Clock::now();
  Delete(std::string(kClaims) + "/redisdata-" + second);
  for (const std::string& pod : Behind(second)) Delete(PathOf(pod) + "?gracePeriodSeconds=0");
  ASSERT_TRUE(Eventually([&] { return !Master().empty() && Master() != second; }, kPatience)) << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 1)) << WhatIsWrong();
  const auto resumed_at = Clock::now();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return UidOf(second) != second_uid && AllInStep(); }, kPatience)) << WhatIsWrong();
  // It was a replica when it became the master, and is one again.
  EXPECT_THAT(Log(second), Not(HasSubstr("starts as master")));

  // Another configuration restarts every server, the replicas first and one after the other, and the master, which
  // hands over before it ends, last.
  const int switches = Switches();
  const std::string third = Master();
  std::map<std::string, std::string> uids;
  for (const std::string& pod : Behind(second)) uids[pod] = UidOf(pod);
  Patch({{"spec", {{"backends", json::array({{{"name", "local"}, {"redis", Redis("640Mi")}}})}}}});
  ASSERT_TRUE(Eventually(
      [&] {
        return std::all_of(uids.begin(), uids.end(),
                           [&](const auto& each) { return UidOf(each.first) != each.second; }) &&
               AllInStep();
      },
      kPatience))
      << WhatIsWrong();
  ASSERT_TRUE(Acknowledges(load, 50)) << WhatIsWrong();
  ASSERT_TRUE(Eventually([&] { return EventText().find("RolloutCompleted") != std::string::npos; }, kPatience));
  EXPECT_THAT(EventText(), HasSubstr("the master " + third + " hands over and is replaced"));
  load.Stop();
  // The status follows, and an event tells of each change.
  EXPECT_TRUE(Eventually([&] { return StatusNames(Master()); }, kPatience)) << WhatIsWrong();
  EXPECT_THAT(EventText(), HasSubstr("MasterChanged"));

  WriteHistory::Entries found;
  ASSERT_TRUE(Eventually([&] { return Everything(&found); }));
  // On a machine that is too busy a sentinel finds a server down that is not, and a server that ends is not answered in
  // time to hand over.
  const bool undisturbed =
      switches == 2 && Switches() == 3 && Log(first).find("hands over") != std::string::npos && AllHandedOver();
  const WriteHistory::Window window{undisturbed ? killed_at - kLossBound : began,
                                    undisturbed ? resumed_at : Clock::now()};
  EXPECT_THAT(load.history().Complaints(found, window), IsEmpty());
  std::cout << Switches() << " changes of the master; " << load.history().Lost(found) << " of "
            << load.history().counts().acknowledged << " acknowledged writes lost, bound " << kLossBound.count()
            << " s; outage with all servers killed "
            << std::chrono::duration_cast<std::chrono::milliseconds>(resumed_at - killed_at).count() << " ms\n";
  const std::string told = Told();
  for (const char* file : {"application-password", "replication-password", "sentinel-password", "keeper-password"}) {
    EXPECT_THAT(told, Not(HasSubstr(File(file)))) << file;
  }

  program_->Signal(SIGTERM);
  EXPECT_EQ(ExitStatus(), 0);
}

}  // namespace
}  // namespace holdfast::local
