#include "operator/shards/scale_in.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/shards/slot_plan.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kAtOnce = 1'024;

class ScaleInTest : public ::testing::Test {
 protected:
  ScaleInTest() {
    bench_.Settle(false);
    for (auto& [ordinal, server] : bench_.servers) server.keys = ordinal % 2 == 0 ? 1 : 0;
  }

  std::string WhyNot() const {
    const Facts facts = bench_.Say(true);
    return WhyNotWithout(facts, Owners(facts.reports));
  }
  bool MayGo() const { return WhyNot().empty() && AreForgotten(bench_.Say(true)); }
  // One look, of which `commands` are told and `slots` of each move go over.
  void Look(std::size_t commands = kAtOnce, std::size_t slots = kAtOnce) {
    for (const Command& command : Decide(bench_.Say(true))) {
      if (commands-- == 0) return;
      bench_.Obey(command);
    }
    const SlotPlan plan = PlanSlots(bench_.Say(true), kAtOnce);
    for (const Command& command : plan.commands) bench_.Obey(command);
    for (const SlotMove& move : plan.moves) {
      EXPECT_LT(move.to, 2 * shards_) << "a slot goes to a server that goes";
      bench_.Move(move, slots);
    }
    // Redis takes the keys along.
    for (std::int64_t i = 2 * shards_; i < std::ssize(bench_.servers); ++i) {
      if (!Owners(bench_.Say(true).reports).Has(bench_.IdOf(i))) bench_.servers.at(i).keys = 0;
    }
  }
  void Ask(std::int64_t shards) {
    bench_.Grow(shards);
    shards_ = shards;
  }
  // What goes has no slot, is known to nobody that stays, and the others are whole.
  void EndPods() {
    ASSERT_TRUE(MayGo()) << WhyNot();
    const Facts facts = bench_.Say(true);
    const Owners owners(facts.reports);
    for (auto server = bench_.servers.begin(); server != bench_.servers.end();) {
      if (server->first < 2 * shards_) {
        ++server;
        continue;
      }
      EXPECT_FALSE(owners.Has(server->second.id));
      for (std::int64_t i = 0; i < 2 * shards_; ++i) EXPECT_FALSE(bench_.KnownTo(i).contains(server->second.id));
      server->second.answers = false;
      ++server;
    }
  }
  void LookUntilTheyMayGo() {
    for (int looks = 0; looks < 100 && !MayGo(); ++looks) Look();
    EndPods();
  }
  void ExpectEqualParts() const {
    std::set<std::string> masters;
    for (std::int64_t shard = 0; shard < shards_; ++shard) {
      const std::string master = bench_.OwnerOf(static_cast<int>(shard * redis::kSlots / shards_));
      masters.insert(master);
      EXPECT_EQ(bench_.OwnerOf(static_cast<int>((shard + 1) * redis::kSlots / shards_ - 1)), master);
    }
    EXPECT_EQ(masters.size(), static_cast<std::size_t>(shards_));
  }

  std::int64_t shards_ = 4;
  ShardBench bench_{4, 1};
};

TEST_F(ScaleInTest, TheSlotsGoFirstThenAllForgetThemThenTheyMayGo) {
  Ask(3);
  EXPECT_THAT(WhyNot(), HasSubstr("not all of their slots are moved"));
  EXPECT_FALSE(MayGo());
  // The last of four parts, and what makes the others equal.
  EXPECT_EQ(PlanSlots(bench_.Say(true), kAtOnce).left, 8'191);
  LookUntilTheyMayGo();
  ExpectEqualParts();
  EXPECT_THAT(Decide(bench_.Say(true)), IsEmpty());
  EXPECT_THAT(PlanSlots(bench_.Say(true), kAtOnce).moves, IsEmpty());
}

// Whoever looks is stopped behind any number of commands and slots, and a master fails over now and then; the next one
// goes on, no slot is ever without an owner, and none comes to a server that goes.
TEST_F(ScaleInTest, WhoeverIsStoppedAnywhereIsFollowedByAnother) {
  for (std::size_t stop = 0; stop < 12; ++stop) {
    SCOPED_TRACE("stopped after " + std::to_string(stop));
    bench_ = ShardBench(4, 1);
    shards_ = 4;
    bench_.Settle(false);
    Ask(3);
    for (std::size_t looks = 0; looks < 60; ++looks) {
      Look(stop, stop * 40);
      EXPECT_EQ(Owners(bench_.Say(true).reports).covered(), redis::kSlots);
      if (looks == stop) bench_.TakeOver(1);
      if (looks == stop + 3 && bench_.MasterOf(7) == bench_.IdOf(6)) bench_.TakeOver(7);
    }
    LookUntilTheyMayGo();
    ExpectEqualParts();
  }
}

TEST_F(ScaleInTest, TooFewMastersThatStayGetTheirShardsBackFirst) {
  // Both servers of the last pods are masters, and what should be one of the others follows one of them.
  bench_.servers.at(7).master_id = bench_.IdOf(4);
  bench_.TakeOver(7);
  bench_.servers.at(5).master_id = bench_.IdOf(7);
  bench_.servers.at(4).master_id = bench_.IdOf(7);
  Ask(3);
  const std::vector<Command> commands = Decide(bench_.Say(true));
  EXPECT_THAT(commands, testing::Contains(Command{4, {"CLUSTER", "FAILOVER"}}));
  LookUntilTheyMayGo();
  ExpectEqualParts();
}

TEST_F(ScaleInTest, NobodyGoesWhileTheOthersAreNotWhole) {
  Ask(3);
  for (int looks = 0; looks < 100 && !WhyNot().empty(); ++looks) Look();
  bench_.servers.at(1).in_step = false;
  EXPECT_FALSE(WhyNot().empty());
  bench_.servers.at(1).in_step = true;
  bench_.servers.at(6).keys = 5;
  EXPECT_EQ(WhyNot(), "demo-cache-6 has keys, though none of the slots");
  bench_.servers.at(6).keys = 0;
  bench_.servers.at(2).answers = false;
  EXPECT_EQ(WhyNot(), "5 of 6 servers that stay answer");
  bench_.servers.at(2).answers = true;
  EXPECT_EQ(WhyNot(), "");
}

// A master that goes and does not answer just now is not given up: nobody stands for election by force.
TEST_F(ScaleInTest, WhoGoesAndDoesNotAnswerKeepsItsSlots) {
  Ask(3);
  bench_.servers.at(6).answers = false;
  bench_.servers.at(7).cut_off_for = 1;
  for (const Command& command : Decide(bench_.Say(true))) {
    EXPECT_NE(command.words.at(1), "FAILOVER");
    EXPECT_NE(command.words.at(1), "FORGET");
  }
  EXPECT_THAT(PlanSlots(bench_.Say(true), kAtOnce).waits, HasSubstr("does not answer"));
}

TEST_F(ScaleInTest, AskedForAgainInBetweenTheyGetTheirPartBack) {
  Ask(3);
  for (int looks = 0; looks < 100 && !MayGo(); ++looks) Look();
  bench_.Grow(4);
  shards_ = 4;
  for (int looks = 0; looks < 100; ++looks) Look();
  EXPECT_EQ(PlanSlots(bench_.Say(true), kAtOnce).left, 0);
  ExpectEqualParts();
  EXPECT_EQ(bench_.KnownTo(0).size(), 7u);
}

TEST_F(ScaleInTest, ThoseThatComeBackWithTheirVolumesAreNewShards) {
  Ask(3);
  LookUntilTheyMayGo();
  for (const std::int64_t server : {6, 7}) bench_.servers.at(server).answers = true;
  bench_.Grow(4);
  shards_ = 4;
  for (int looks = 0; looks < 100; ++looks) Look();
  ExpectEqualParts();
  EXPECT_THAT(Decide(bench_.Say(true)), IsEmpty());
}

}  // namespace
}  // namespace holdfast::shards
