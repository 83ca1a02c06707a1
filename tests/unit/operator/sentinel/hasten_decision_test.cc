#include "operator/sentinel/hasten_decision.h"

#include <gtest/gtest.h>

namespace holdfast::sentinel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kMaster[] = "cache-0.ns.svc";
constexpr seconds kMaxLag{10};

ServerReport Orphan(std::uint64_t offset) {
  return {.master = false, .offset = offset, .follows = kMaster, .linked = false, .unlinked = seconds{0}};
}

// The master of three has just ended, and the three sentinels have noticed nothing.
EndFacts JustEnded() {
  EndFacts facts;
  facts.end = MasterEnd::kEnded;
  facts.sentinels = 3;
  facts.max_lag = kMaxLag;
  Report report{.master = kMaster, .epoch = 4, .replicas = {}};
  for (const char* host : {"cache-1.ns.svc", "cache-2.ns.svc"}) {
    report.replicas.push_back({host, true});
    facts.replicas.push_back({host, Orphan(1000)});
  }
  facts.reports = {report, report, report};
  return facts;
}

HastenDecision Decide(const EndFacts& facts) {
  return DecideHastening(facts, {});
}

TEST(HastenDecision, AMasterThatHasEndedIsReplacedAtOnce) {
  const HastenDecision decision = Decide(JustEnded());
  EXPECT_TRUE(decision.tell);
  EXPECT_EQ(decision.reason, "MasterEnded");
  EXPECT_EQ(decision.message, "the container of the master cache-0 has ended; 2 replicas followed it to its end");
}

TEST(HastenDecision, WhatNobodyHasSeenEndIsLeftAlone) {
  EndFacts facts = JustEnded();
  facts.end = MasterEnd::kUnknown;
  for (Report& report : facts.reports) {
    report.down = true;
    report.silent = seconds{30};
  }
  EXPECT_FALSE(Decide(facts).tell) << "the sentinels' word alone is theirs to act on";
}

// A forced deletion or a lost node leaves the process where it is, perhaps.
TEST(HastenDecision, AGoneOneIsReplacedOnlyWhenNoSentinelHearsOfIt) {
  for (const MasterEnd end : {MasterEnd::kVanished, MasterEnd::kNodeGone}) {
    EndFacts facts = JustEnded();
    facts.end = end;
    EXPECT_EQ(Decide(facts).reason, "StillAnswers");
    for (Report& report : facts.reports) report.silent = HastenLimits().silence;
    EXPECT_TRUE(Decide(facts).tell);
    facts.reports[1].silent = milliseconds{300};
    EXPECT_FALSE(Decide(facts).tell);
    facts.reports[1].down = true;
    EXPECT_TRUE(Decide(facts).tell);
  }
}

TEST(HastenDecision, MostSentinelsAnswerAndAgree) {
  EndFacts facts = JustEnded();
  facts.reports.pop_back();
  EXPECT_TRUE(Decide(facts).tell);
  facts.reports[1].epoch = 5;
  EXPECT_EQ(Decide(facts).reason, "SentinelsDisagree");
  facts.reports[1].epoch = 4;
  facts.reports[1].master = "cache-1.ns.svc";
  EXPECT_EQ(Decide(facts).reason, "SentinelsDisagree");
  facts.reports.pop_back();
  EXPECT_EQ(Decide(facts).reason, "SentinelsSilent");
  facts.reports.clear();
  EXPECT_EQ(Decide(facts).reason, "SentinelsSilent");
}

TEST(HastenDecision, NotBesideAFailoverThatIsUnderWay) {
  EndFacts facts = JustEnded();
  facts.reports[2].failover = true;
  EXPECT_EQ(Decide(facts).reason, "FailingOver");
}

TEST(HastenDecision, ToldOnce) {
  EndFacts facts = JustEnded();
  facts.since_told = HastenLimits().tell_again - milliseconds{1};
  EXPECT_EQ(Decide(facts).reason, "Told");
  facts.since_told = HastenLimits().tell_again;
  EXPECT_TRUE(Decide(facts).tell);
}

// A sentinel chooses by what it heard a while ago: whichever it takes has to be good.
TEST(HastenDecision, EveryReplicaThatCouldBeChosenFollowedToTheEnd) {
  EndFacts facts = JustEnded();
  facts.replicas[1].report.reset();
  EXPECT_EQ(Decide(facts).reason, "ReplicaUnknown");
  facts.replicas[1].report = Orphan(1000);
  facts.replicas[1].report->syncing = true;
  EXPECT_EQ(Decide(facts).reason, "ReplicaBehind");
  facts.replicas[1].report = Orphan(1000);
  facts.replicas[1].report->unlinked = kMaxLag + seconds{1};
  EXPECT_EQ(Decide(facts).reason, "ReplicaBehind");
  facts.replicas[1].report = Orphan(1000 + HastenLimits().close_bytes);
  EXPECT_TRUE(Decide(facts).tell);
  facts.replicas[1].report = Orphan(1001 + HastenLimits().close_bytes);
  EXPECT_EQ(Decide(facts).reason, "ReplicaBehind");
  // One that no sentinel reaches is chosen by none; as long as one of them does, it could be.
  facts.reports[0].replicas[1].away = facts.reports[1].replicas[1].away = true;
  EXPECT_FALSE(Decide(facts).tell);
  facts.reports[2].replicas[1].away = true;
  EXPECT_TRUE(Decide(facts).tell);
  for (Report& report : facts.reports) report.replicas[0].away = true;
  EXPECT_EQ(Decide(facts).reason, "NoReplica");
}

}  // namespace
}  // namespace holdfast::sentinel
