#include "operator/sentinel/rollout_decision.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast::sentinel {
namespace {

using std::chrono::minutes;

constexpr minutes kPatience{10};

// cache-0 is the master, and none of the three is updated.
RolloutFacts Three() {
  RolloutFacts facts;
  facts.master = "cache-0";
  for (const char* pod : {"cache-0", "cache-1", "cache-2"}) {
    RolloutServer server;
    server.pod = pod;
    server.there = server.running = server.ready = server.answers = server.in_step = true;
    facts.servers.push_back(server);
  }
  return facts;
}

RolloutStep Decide(const RolloutFacts& facts) {
  return DecideRollout(facts, kPatience);
}

TEST(RedisRolloutDecision, NobodyIsReplacedWithoutNeed) {
  RolloutFacts facts = Three();
  for (RolloutServer& server : facts.servers) server.updated = true;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kNothing);
}

TEST(RedisRolloutDecision, ReplicasFirstAndTheMasterLast) {
  RolloutFacts facts = Three();
  EXPECT_EQ(Decide(facts).act, RolloutAct::kReplace);
  EXPECT_EQ(Decide(facts).target, "cache-1");
  EXPECT_EQ(Decide(facts).message, "0 of 3 servers are at the new revision; cache-1 is replaced");
  facts.servers[1].updated = true;
  EXPECT_EQ(Decide(facts).target, "cache-2");
  facts.servers[2].updated = true;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kHandOver);
  EXPECT_EQ(Decide(facts).target, "cache-0");
  // The master has changed meanwhile: what was it is a replica like any other.
  facts.master = "cache-2";
  EXPECT_EQ(Decide(facts).act, RolloutAct::kReplace);
  EXPECT_EQ(Decide(facts).target, "cache-0");
}

TEST(RedisRolloutDecision, WhoIsReplacedIsWaitedFor) {
  RolloutFacts facts = Three();
  facts.servers[1].updated = true;
  facts.servers[1].in_step = false;
  facts.waited = kPatience * 2;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kWait) << "another template would not mend it";
  EXPECT_EQ(Decide(facts).target, "cache-1");
  facts.servers[1].there = false;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kWait);
}

TEST(RedisRolloutDecision, WhatDoesNotRunIsReplacedAtOnceWhoeverServes) {
  RolloutFacts facts = Three();
  facts.servers[2].running = facts.servers[2].ready = facts.servers[2].answers = facts.servers[2].in_step = false;
  EXPECT_EQ(Decide(facts).target, "cache-2");
  facts.master.clear();
  for (RolloutServer& server : facts.servers) server.in_step = false;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kReplace);
  EXPECT_EQ(Decide(facts).target, "cache-2");
}

TEST(RedisRolloutDecision, AReplicaThatDoesNotGetInStepIsReplacedAfterAWhile) {
  RolloutFacts facts = Three();
  facts.servers[2].in_step = false;
  facts.waited = kPatience - minutes{1};
  EXPECT_EQ(Decide(facts).act, RolloutAct::kWait);
  facts.waited = kPatience;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kReplace);
  EXPECT_EQ(Decide(facts).target, "cache-2");
}

// Nobody is taken away whom the sentinels could still elect.
TEST(RedisRolloutDecision, WithoutAMasterOnlyThoseGoThatNobodyCouldElect) {
  RolloutFacts facts = Three();
  facts.master.clear();
  for (RolloutServer& server : facts.servers) server.in_step = false;
  facts.waited = kPatience;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kWait);
  facts.servers[1].answers = false;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kWait);
  facts.servers[1].ready = false;
  EXPECT_EQ(Decide(facts).act, RolloutAct::kReplace);
  EXPECT_EQ(Decide(facts).target, "cache-1");
}

// Whatever the facts: never more than one away, never a master that serves but with everybody else updated and in step.
TEST(RedisRolloutDecision, EveryStateOfThreeServersKeepsTheRules) {
  std::set<RolloutAct> seen;
  for (int bits = 0; bits < 1 << 14; ++bits) {
    RolloutFacts facts = Three();
    for (std::size_t i = 0; i < 3; ++i) {
      const int of_server = bits >> (4 * i);
      RolloutServer& server = facts.servers[i];
      server.updated = (of_server & 1) != 0;
      server.there = (of_server & 2) != 0;
      server.running = server.answers = server.ready = (of_server & 4) != 0;
      server.in_step = server.running && (of_server & 8) != 0;
    }
    const int master = (bits >> 12) & 3;
    facts.master = master == 3 ? "" : facts.servers[static_cast<std::size_t>(master)].pod;
    if (facts.master.empty()) {
      for (RolloutServer& server : facts.servers) server.in_step = false;
    } else if (!facts.servers[static_cast<std::size_t>(master)].in_step) {
      continue;
    }
    const RolloutStep step = Decide(facts);
    seen.insert(step.act);
    if (step.act != RolloutAct::kReplace && step.act != RolloutAct::kHandOver) continue;
    bool others_are_good = true;
    bool others_are_updated = true;
    const RolloutServer* target = nullptr;
    for (const RolloutServer& server : facts.servers) {
      EXPECT_TRUE(server.there) << "one is away already";
      if (server.pod == step.target) {
        target = &server;
        continue;
      }
      others_are_good = others_are_good && server.in_step;
      others_are_updated = others_are_updated && server.updated;
    }
    ASSERT_NE(target, nullptr);
    EXPECT_FALSE(target->updated);
    EXPECT_TRUE(!target->running || others_are_good) << step.message;
    EXPECT_EQ(step.act == RolloutAct::kHandOver, target->pod == facts.master);
    EXPECT_TRUE(target->pod != facts.master || (others_are_good && others_are_updated));
  }
  EXPECT_EQ(seen.size(), 4U);
}

}  // namespace
}  // namespace holdfast::sentinel
