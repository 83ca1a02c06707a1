#include "operator/shards/slot_plan.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kAtOnce = 1'024;

class SlotPlanTest : public ::testing::Test {
 protected:
  SlotPlanTest() { bench_.Settle(false); }

  // One look: who is told, and which slots move, at most `most` of each move. What was left before it.
  std::int64_t Look(std::size_t most = kAtOnce) {
    for (const Command& command : Decide(bench_.Say(true))) bench_.Obey(command);
    const SlotPlan plan = PlanSlots(bench_.Say(true), kAtOnce);
    std::size_t moved = 0;
    for (const Command& command : plan.commands) bench_.Obey(command);
    for (const SlotMove& move : plan.moves) {
      moved += move.slots.size();
      bench_.Move(move, most);
    }
    EXPECT_LE(moved, kAtOnce);
    return plan.left;
  }
  int LooksUntilDone(std::size_t most = kAtOnce) {
    for (int looks = 1; looks < 100; ++looks) {
      if (Look(most) == 0) return looks;
    }
    ADD_FAILURE() << "slots are moved for ever; " << PlanSlots(bench_.Say(true), kAtOnce).waits;
    return 0;
  }
  // Each part has one master, and each master one part and a replica.
  void ExpectEqualParts(int shards) {
    std::set<std::string> masters;
    for (int shard = 0; shard < shards; ++shard) {
      const std::string master = bench_.OwnerOf(shard * redis::kSlots / shards);
      masters.insert(master);
      EXPECT_EQ(bench_.OwnerOf((shard + 1) * redis::kSlots / shards - 1), master);
      int replicas = 0;
      for (const auto& [ordinal, server] : bench_.servers) replicas += server.master_id == master ? 1 : 0;
      EXPECT_EQ(replicas, 1);
    }
    EXPECT_EQ(masters.size(), static_cast<std::size_t>(shards));
  }

  ShardBench bench_{3, 1};
};

TEST_F(SlotPlanTest, WhatHasBegunStaysWhereItIs) {
  for (const std::int64_t shards : {3, 5, 7, 16}) {
    ShardBench bench(shards, 1);
    bench.Settle(false);
    const SlotPlan plan = PlanSlots(bench.Say(true), kAtOnce);
    EXPECT_EQ(plan.left, 0);
    EXPECT_THAT(plan.moves, IsEmpty());
    EXPECT_EQ(plan.waits, "");
  }
}

TEST_F(SlotPlanTest, NewShardsGetEqualPartsFromTheOthers) {
  bench_.Grow(5);
  for (auto& [ordinal, server] : bench_.servers) server.keys = ordinal < 6 ? 1 : 0;
  // Two fifths, and no more.
  EXPECT_EQ(PlanSlots(bench_.Say(true), kAtOnce).left, 6554);
  LooksUntilDone();
  ExpectEqualParts(5);
  EXPECT_EQ(bench_.OwnerOf(0), bench_.IdOf(0));
  EXPECT_EQ(bench_.OwnerOf(redis::kSlots / 2), bench_.IdOf(2));
  EXPECT_EQ(bench_.OwnerOf(redis::kSlots - 1), bench_.IdOf(4));
  EXPECT_EQ(bench_.OwnerOf(4'000), bench_.IdOf(6));
  EXPECT_EQ(bench_.OwnerOf(11'000), bench_.IdOf(8));
}

TEST_F(SlotPlanTest, WhoeverIsStoppedInBetweenIsFollowedByAnother) {
  bench_.Grow(4);
  std::int64_t before = redis::kSlots;
  for (std::size_t most = 0; most < 24; ++most) {
    const std::int64_t left = Look(most);
    EXPECT_LE(left, before) << "a slot goes back and forth";
    before = left;
    // A failover of the one that gives, and of the one that takes.
    if (most == 10) bench_.TakeOver(1);
    if (most == 20) bench_.TakeOver(7);
  }
  bench_.Grow(7);
  LooksUntilDone();
  ExpectEqualParts(7);
}

TEST_F(SlotPlanTest, ANewMasterGetsOneSlotAndMoreWhenItHasAReplicaInStep) {
  bench_.Grow(5);
  Look(0);
  EXPECT_THAT(PlanSlots(bench_.Say(true), kAtOnce).moves,
              ElementsAre(SlotMove{0, 6, {3'276}}, SlotMove{2, 8, {9'830}}));
  Look();
  Look(0);
  for (const std::int64_t replica : {7, 9}) bench_.servers.at(replica).in_step = false;
  const SlotPlan plan = PlanSlots(bench_.Say(true), kAtOnce);
  EXPECT_THAT(plan.moves, IsEmpty());
  EXPECT_EQ(plan.waits, "6552 slots wait to be moved: no replica of demo-cache-8 is in step");
  bench_.servers.at(7).in_step = true;
  EXPECT_EQ(PlanSlots(bench_.Say(true), kAtOnce).moves.front().to, 6);
}

TEST_F(SlotPlanTest, NothingMovesWhileSomebodyIsMissing) {
  bench_.Grow(5);
  for (int i = 0; i < 5; ++i) Look();
  bench_.servers.at(9).answers = false;
  EXPECT_THAT(PlanSlots(bench_.Say(true), kAtOnce).waits, HasSubstr("9 of 10 servers answer"));
  bench_.servers.at(9).answers = true;
  // All answer, and one as another than the master of slots.
  bench_.Start(0);
  const SlotPlan plan = PlanSlots(bench_.Say(true), kAtOnce);
  EXPECT_THAT(plan.moves, IsEmpty());
  EXPECT_THAT(plan.waits, HasSubstr("the master of slots 0-"));
  EXPECT_THAT(plan.waits, HasSubstr("does not answer"));
}

TEST_F(SlotPlanTest, ASlotBetweenTwoServersGoesOnFirst) {
  bench_.LeaveOpen(77, 2);
  SlotPlan plan = PlanSlots(bench_.Say(true), kAtOnce);
  EXPECT_EQ(plan.left, 1);
  EXPECT_THAT(plan.moves, ElementsAre(SlotMove{0, 2, {77}}));
  bench_.Move(plan.moves.front());
  // The one that took it says so still; then it goes back where it belongs.
  plan = PlanSlots(bench_.Say(true), kAtOnce);
  EXPECT_THAT(plan.commands, ElementsAre(Command{2, {"CLUSTER", "SETSLOT", "77", "STABLE"}}));
  bench_.Obey(plan.commands.front());
  plan = PlanSlots(bench_.Say(true), kAtOnce);
  EXPECT_THAT(plan.moves, ElementsAre(SlotMove{2, 0, {77}}));
}

TEST_F(SlotPlanTest, OfAServerThatOnlyGivesNothingIsOnTheWay) {
  Facts facts = bench_.Say(true);
  for (Node& node : facts.reports[0].nodes) {
    if (node.myself) node.migrating[5] = bench_.IdOf(2);
  }
  const SlotPlan plan = PlanSlots(facts, kAtOnce);
  EXPECT_THAT(plan.commands, ElementsAre(Command{0, {"CLUSTER", "SETSLOT", "5", "STABLE"}}));
  EXPECT_THAT(plan.moves, IsEmpty());
}

TEST_F(SlotPlanTest, BeforeThereAreDataNothingMoves) {
  bench_.Grow(5);
  EXPECT_EQ(PlanSlots(bench_.Say(false), kAtOnce).left, 0);
}

}  // namespace
}  // namespace holdfast::shards
