#include "operator/sentinel/scale_decision.h"

#include <gtest/gtest.h>

namespace holdfast::sentinel {
namespace {

std::string Host(int number) {
  return "cache-" + std::to_string(number) + ".prod.svc";
}

Report::Replica ReplicaOf(int number, std::int64_t priority = kUsualPriority, bool away = false) {
  return {.host = Host(number), .in_step = !away, .away = away, .priority = priority};
}

// So many servers run and are named, `wanted` of them are to stay, and everybody knows everybody.
ScaleFacts Facts(int servers, int wanted, int master) {
  ScaleFacts facts;
  facts.wanted = wanted;
  facts.pods = facts.names = servers;
  facts.sentinels = 3;
  facts.master = Host(master);
  Report report{.master = Host(master), .replicas = {}, .others = 2};
  for (int i = 0; i < servers; ++i) {
    ServerReport server{.master = i == master};
    if (i == master) {
      for (int j = 0; j < servers; ++j) {
        if (j != master) server.followers.push_back(Host(j));
      }
    } else {
      report.replicas.push_back(ReplicaOf(i));
    }
    facts.servers.push_back({.host = Host(i), .pod = true, .leaving = false, .in_step = true, .report = server});
  }
  for (const char* sentinel : {"s-0", "s-1", "s-2"}) facts.answers.push_back({sentinel, report});
  return facts;
}

// Those that go are marked, as they say themselves.
void Mark(ScaleFacts& facts) {
  for (std::size_t i = static_cast<std::size_t>(facts.wanted); i < facts.servers.size(); ++i) {
    facts.servers[i].report->priority = kNeverMaster;
  }
}

// And as the sentinels say.
void MarkEverywhere(ScaleFacts& facts) {
  Mark(facts);
  for (ScaleSentinel& sentinel : facts.answers) {
    for (Report::Replica& replica : sentinel.report.replicas) {
      if (replica.host >= Host(static_cast<int>(facts.wanted))) replica.priority = kNeverMaster;
    }
  }
}

// The pods have gone, and the sentinels do not know it.
ScaleFacts Gone(int servers, int wanted, int master) {
  ScaleFacts facts = Facts(servers, wanted, master);
  facts.pods = wanted;
  for (std::size_t i = static_cast<std::size_t>(wanted); i < facts.servers.size(); ++i) {
    facts.servers[i] = {.host = facts.servers[i].host};
  }
  auto& followers = facts.servers[static_cast<std::size_t>(master)].report->followers;
  std::erase_if(followers, [&](const std::string& host) { return host >= Host(wanted); });
  for (ScaleSentinel& sentinel : facts.answers) {
    for (Report::Replica& replica : sentinel.report.replicas) replica.away = replica.host >= Host(wanted);
  }
  return facts;
}

void ForgetStrangers(ScaleSentinel& sentinel) {
  std::erase_if(sentinel.report.replicas, [](const Report::Replica& replica) { return replica.away; });
}

TEST(RedisScaleDecision, NothingIsDoneWhileThereAreAsManyAsAreWantedOrFewer) {
  EXPECT_EQ(DecideScale(Facts(3, 3, 0)).act, ScaleAct::kNothing);
  ScaleFacts growing = Facts(3, 5, 0);
  EXPECT_EQ(DecideScale(growing).act, ScaleAct::kNothing);
  growing.master.clear();
  EXPECT_EQ(DecideScale(growing).act, ScaleAct::kNothing);
}

TEST(RedisScaleDecision, WhoGoesIsMarkedFirstAndEverySentinelHasToKnow) {
  ScaleFacts facts = Facts(5, 3, 0);
  ScaleStep step = DecideScale(facts);
  EXPECT_EQ(step.act, ScaleAct::kMark);
  EXPECT_EQ(step.target, "cache-3");
  facts.servers[3].report->priority = kNeverMaster;
  EXPECT_EQ(DecideScale(facts).target, "cache-4");
  Mark(facts);
  step = DecideScale(facts);
  EXPECT_EQ(step.act, ScaleAct::kWait);
  EXPECT_EQ(step.message, "of 5 servers 3 stay; waits until s-0 knows that cache-3 goes");
  MarkEverywhere(facts);
  facts.answers[2].report.replicas.back().priority = kUsualPriority;
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until s-2 knows that cache-4 goes");
  // One that it does not reach it would not choose either.
  facts.answers[2].report.replicas.back().away = true;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kLetGo);
}

TEST(RedisScaleDecision, AMasterThatGoesHandsOverWhenAllThatStayAreInStep) {
  ScaleFacts facts = Facts(5, 3, 4);
  MarkEverywhere(facts);
  // A master is never marked: it serves.
  facts.servers[4].report->priority = kUsualPriority;
  facts.servers[1].in_step = false;
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until cache-1 is in step");
  facts.servers[1].in_step = true;
  const ScaleStep step = DecideScale(facts);
  EXPECT_EQ(step.act, ScaleAct::kHandOver);
  EXPECT_EQ(step.target, "cache-4");
  EXPECT_EQ(step.message, "of 5 servers 3 stay; the master cache-4 hands over");
  facts.servers[4].leaving = true;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait) << "it is told once";
  facts.master.clear();
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until a master serves");
}

TEST(RedisScaleDecision, NobodyGoesBeforeAMasterThatStaysServesAndAllThatStayAreInStep) {
  ScaleFacts facts = Facts(5, 3, 2);
  MarkEverywhere(facts);
  for (ScaleServer& server : facts.servers) {
    server.in_step = false;
    const bool matters = server.host < Host(3);
    EXPECT_EQ(DecideScale(facts).act, matters ? ScaleAct::kWait : ScaleAct::kLetGo) << server.host;
    server.in_step = true;
  }
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kLetGo);
  facts.enough = true;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait) << "it was said";
  facts.master.clear();
  facts.enough = false;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
}

// Also one that does not run: it holds nobody up.
TEST(RedisScaleDecision, WhoGoesNeedNotAnswer) {
  ScaleFacts facts = Facts(5, 3, 0);
  MarkEverywhere(facts);
  facts.servers[4].report.reset();
  facts.servers[4].in_step = false;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kLetGo);
}

TEST(RedisScaleDecision, SentinelsForgetOneAfterTheOtherAndOnlyWhenThePodsHaveEnded) {
  ScaleFacts facts = Gone(5, 3, 0);
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kForget);
  EXPECT_EQ(DecideScale(facts).target, "s-0");
  facts.servers[3].pod = true;
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until cache-3 has ended");
  facts.servers[3].pod = false;
  facts.servers[0].report->followers.push_back(Host(4));
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait) << "it would be found again";
  facts.servers[0].report->followers.pop_back();

  // It was just reset: it knows nobody, and finds them one by one.
  Report& first = facts.answers[0].report;
  first.others = 0;
  first.replicas.clear();
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until s-0 has found the other sentinels");
  first.others = 2;
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until s-0 has found cache-1");
  first.replicas = {ReplicaOf(1), ReplicaOf(2, kUsualPriority, true)};
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until s-0 has found cache-2");
  first.replicas = {ReplicaOf(1), ReplicaOf(2)};
  EXPECT_EQ(DecideScale(facts).target, "s-1");
  ForgetStrangers(facts.answers[1]);
  EXPECT_EQ(DecideScale(facts).target, "s-2");
  ForgetStrangers(facts.answers[2]);
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kDropNames);
  facts.enough = true;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
  facts.names = 3;
  facts.servers.resize(3);
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kNothing);
}

TEST(RedisScaleDecision, NoSentinelIsResetWhileOneIsSilentOrAMasterIsMissing) {
  const ScaleFacts good = Gone(5, 3, 0);
  ASSERT_EQ(DecideScale(good).act, ScaleAct::kForget);
  ScaleFacts facts = good;
  facts.answers.pop_back();
  EXPECT_EQ(DecideScale(facts).message, "of 5 servers 3 stay; waits until every sentinel answers");
  facts = good;
  facts.master.clear();
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
  facts = good;
  facts.servers[2].in_step = false;
  EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
  for (int sentinel = 0; sentinel < 3; ++sentinel) {
    facts = good;
    Report& report = facts.answers[static_cast<std::size_t>(sentinel)].report;
    report.failover = true;
    EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
    report = good.answers[0].report;
    report.down = true;
    EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait);
    report = good.answers[0].report;
    report.master = Host(1);
    EXPECT_EQ(DecideScale(facts).act, ScaleAct::kWait) << "it has not heard of the last change";
  }
}

TEST(RedisScaleDecision, WhoWasToGoAndStaysAfterAllMayBeTheMasterAgain) {
  ScaleFacts facts = Facts(5, 3, 0);
  MarkEverywhere(facts);
  facts.wanted = 4;
  ScaleStep step = DecideScale(facts);
  EXPECT_EQ(step.act, ScaleAct::kUnmark);
  EXPECT_EQ(step.target, "cache-3");
  facts.wanted = 5;
  facts.servers[3].report->priority = kUsualPriority;
  step = DecideScale(facts);
  EXPECT_EQ(step.act, ScaleAct::kUnmark);
  EXPECT_EQ(step.target, "cache-4");
}

}  // namespace
}  // namespace holdfast::sentinel
