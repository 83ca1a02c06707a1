#include "operator/failover/rollout_decision.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast::failover {
namespace {

using std::chrono::minutes;

constexpr minutes kPatience{10};

RolloutMember Healthy(const std::string& name, bool updated) {
  RolloutMember member;
  member.name = name;
  member.there = member.running = member.answers = member.in_step = true;
  member.updated = updated;
  member.received = 100;
  return member;
}

// db-0 is the primary, db-1 its synchronous standby, and none of the three is updated.
RolloutFacts Three() {
  RolloutFacts facts;
  facts.initialized = true;
  facts.synchronous = true;
  facts.primary = "db-0";
  facts.sync_set = {"db-1"};
  for (const char* name : {"db-0", "db-1", "db-2"}) facts.members.push_back(Healthy(name, false));
  return facts;
}

TEST(RolloutDecision, NobodyIsReplacedWithoutNeed) {
  RolloutFacts facts = Three();
  for (RolloutMember& member : facts.members) member.updated = true;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kNothing);
}

TEST(RolloutDecision, ReplicasFirstThenTheSynchronousOneThenASwitchoverAndTheOldPrimaryLast) {
  RolloutFacts facts = Three();
  RolloutStep step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kReplace);
  EXPECT_EQ(step.target, "db-2");
  EXPECT_EQ(step.message, "0 of 3 members are at the new revision; db-2 is replaced");
  facts.members[2].updated = true;
  step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kReplace);
  EXPECT_EQ(step.target, "db-1");
  facts.members[1].updated = true;
  facts.sync_set = {"db-2"};
  step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kSwitchover);
  EXPECT_EQ(step.target, "db-2");
  facts.primary = "db-2";
  facts.sync_set = {"db-1"};
  step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kReplace);
  EXPECT_EQ(step.target, "db-0");
  facts.members[0].updated = true;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kNothing);
}

TEST(RolloutDecision, OneAtATime) {
  for (const std::size_t away : {0U, 1U, 2U}) {
    for (const bool missing : {false, true}) {
      RolloutFacts facts = Three();
      facts.members[away].updated = true;
      (missing ? facts.members[away].there : facts.members[away].in_step) = false;
      if (away == 0) facts.primary.clear();
      facts.waited = kPatience * 100;
      const RolloutStep step = DecideRollout(facts, kPatience);
      EXPECT_EQ(step.act, RolloutAct::kWait) << away;
      EXPECT_EQ(step.target, facts.members[away].name);
    }
  }
}

TEST(RolloutDecision, NobodyGoesWhileNoStandbyHoldsEveryWrite) {
  RolloutFacts facts = Three();
  facts.sync_set.clear();
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kWait);
  facts.sync_set = {"db-1"};
  facts.sync_wanted = 2;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kWait);
  // Of two members there are never two standbys.
  facts.members.pop_back();
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kReplace);
  // By intention there are none.
  facts.synchronous = false;
  facts.sync_set.clear();
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kReplace);
}

TEST(RolloutDecision, TheBestOfAsynchronousStandbysFollows) {
  RolloutFacts facts = Three();
  facts.synchronous = false;
  facts.sync_set.clear();
  facts.members[1].updated = facts.members[2].updated = true;
  facts.members[2].received = 101;
  const RolloutStep step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kSwitchover);
  EXPECT_EQ(step.target, "db-2");
}

TEST(RolloutDecision, ASingleMemberIsJustReplaced) {
  RolloutFacts facts = Three();
  facts.members.resize(1);
  facts.sync_set.clear();
  const RolloutStep step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kReplace);
  EXPECT_EQ(step.target, "db-0");
}

// A template that was the trouble is not waited for.
TEST(RolloutDecision, WhatDoesNotRunIsReplacedAtOnceWhoeverServes) {
  RolloutFacts facts = Three();
  facts.members[1].running = facts.members[1].answers = facts.members[1].in_step = false;
  EXPECT_EQ(DecideRollout(facts, kPatience).target, "db-1");
  facts.primary.clear();
  facts.initialized = false;
  for (RolloutMember& member : facts.members) member.running = member.answers = member.in_step = false;
  const RolloutStep step = DecideRollout(facts, kPatience);
  EXPECT_EQ(step.act, RolloutAct::kReplace);
  EXPECT_EQ(step.target, "db-0");
  // One that is updated and does not run is not mended by being made anew.
  facts.members[0].updated = true;
  EXPECT_EQ(DecideRollout(facts, kPatience).target, "db-1");
}

TEST(RolloutDecision, WhatRunsAndDoesNotGetInStepIsReplacedAfterAWhile) {
  RolloutFacts facts = Three();
  facts.members[1].in_step = false;
  facts.waited = kPatience - minutes{1};
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kWait);
  facts.waited = kPatience;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kReplace);
  EXPECT_EQ(DecideRollout(facts, kPatience).target, "db-1");
  // Whose word we do not have may be well.
  facts.members[1].answers = false;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kWait);
  // Nor is the making of a database interrupted.
  facts.members[1].answers = true;
  facts.initialized = false;
  EXPECT_EQ(DecideRollout(facts, kPatience).act, RolloutAct::kWait);
}

// Whatever the facts: the primary of several goes only by a switchover, and only to a standby that holds every write
// and is updated; a member in step goes only when every other one is, too.
TEST(RolloutDecision, EveryStateOfThreeMembersKeepsTheRules) {
  std::set<RolloutAct> seen;
  for (int bits = 0; bits < 1 << 15; ++bits) {
    RolloutFacts facts = Three();
    for (std::size_t i = 0; i < 3; ++i) {
      const int of_member = bits >> (4 * i);
      facts.members[i].updated = (of_member & 1) != 0;
      facts.members[i].there = (of_member & 2) != 0;
      facts.members[i].running = facts.members[i].answers = (of_member & 4) != 0;
      facts.members[i].in_step = facts.members[i].running && (of_member & 8) != 0;
    }
    const int primary = (bits >> 12) & 3;
    facts.primary = primary == 3 || !facts.members[static_cast<std::size_t>(primary)].in_step
                        ? std::string()
                        : facts.members[static_cast<std::size_t>(primary)].name;
    if ((bits & (1 << 14)) != 0) facts.sync_set.clear();
    if (!facts.sync_set.empty() && facts.sync_set.front() == facts.primary) facts.sync_set = {"db-2"};
    const RolloutStep step = DecideRollout(facts, kPatience);
    seen.insert(step.act);
    if (step.act != RolloutAct::kReplace && step.act != RolloutAct::kSwitchover) continue;
    bool all_in_step = true;
    const RolloutMember* target = nullptr;
    for (const RolloutMember& member : facts.members) {
      all_in_step = all_in_step && member.there && member.in_step;
      if (member.name == step.target) target = &member;
    }
    ASSERT_NE(target, nullptr);
    if (step.act == RolloutAct::kSwitchover) {
      EXPECT_TRUE(target->updated && all_in_step && !facts.primary.empty() && facts.sync_set.front() == target->name);
      continue;
    }
    EXPECT_FALSE(target->updated);
    EXPECT_NE(target->name, facts.primary);
    EXPECT_TRUE(!target->running || all_in_step) << step.message;
  }
  EXPECT_EQ(seen.size(), 4U);
}

}  // namespace
}  // namespace holdfast::failover
