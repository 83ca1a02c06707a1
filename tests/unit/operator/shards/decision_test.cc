#include "operator/shards/decision.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Every slot has an owner, and each shard of pods a master and its replicas.
void ExpectFormed(ShardBench& bench, std::int64_t shards, std::int64_t replicas) {
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    const std::int64_t first = shard * (1 + replicas);
    EXPECT_EQ(bench.MasterOf(first), "");
    EXPECT_EQ(bench.OwnerOf(static_cast<int>(shard * redis::kSlots / shards)), bench.IdOf(first));
    EXPECT_EQ(bench.OwnerOf(static_cast<int>((shard + 1) * redis::kSlots / shards - 1)), bench.IdOf(first));
    for (std::int64_t replica = 1; replica <= replicas; ++replica) {
      EXPECT_EQ(bench.MasterOf(first + replica), bench.IdOf(first));
    }
  }
  for (const auto& [ordinal, server] : bench.servers) {
    EXPECT_THAT(server.knows, SizeIs(static_cast<std::size_t>(shards * (1 + replicas) - 1)));
  }
}

TEST(ShardDecision, StrangersBecomeACluster) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  ExpectFormed(bench, 3, 1);
  EXPECT_EQ(bench.servers.at(0).epoch, 1);
  EXPECT_EQ(bench.servers.at(5).epoch, 6);
  EXPECT_THAT(Decide(bench.Say(true)), IsEmpty());
}

TEST(ShardDecision, WhoeverIsStoppedBetweenTwoCommandsIsFollowedByAnother) {
  for (int commands = 1; commands <= 4; ++commands) {
    ShardBench bench(5, 2);
    EXPECT_GT(bench.Settle(false, commands), 5);
    ExpectFormed(bench, 5, 2);
  }
}

TEST(ShardDecision, NoSlotIsGivenBeforeAllServersAreThere) {
  ShardBench bench(3, 1);
  bench.servers.at(4).answers = false;
  bench.Settle(false);
  EXPECT_EQ(bench.OwnerOf(0), "");
  bench.servers.at(4).answers = true;
  bench.Settle(false);
  ExpectFormed(bench, 3, 1);
}

TEST(ShardDecision, AServerThatComesBackWithoutItsVolumeWhileTheClusterFormsIsMadeAnew) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  bench.Start(2);
  // Its slots are nobody's again once it is forgotten: there never were data.
  const std::vector<Command> commands = Decide(bench.Say(false));
  EXPECT_THAT(commands, Contains(Command{2, {"CLUSTER", "SET-CONFIG-EPOCH", "3"}}));
}

TEST(ShardDecision, AServerAtAnotherAddressIsMetAgain) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  bench.servers.at(2).ip = "10.9.9.9";
  EXPECT_THAT(Decide(bench.Say(true)),
              testing::ElementsAre(Command{0, {"CLUSTER", "MEET", "10.9.9.9", "6379", "16379"}}));
  // All of them at once, as after a night in which nothing ran.
  for (auto& [ordinal, server] : bench.servers) server.ip = "10.1.0." + std::to_string(ordinal);
  bench.Settle(true);
  ExpectFormed(bench, 3, 1);
}

TEST(ShardDecision, TwoThatTookEachOthersAddressesForStrangersAreIntroducedAgain) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  // As after a restart in which each found somebody else where the other one was. Everybody else is in touch with both.
  bench.servers.at(4).at[bench.IdOf(5)] = "";
  bench.servers.at(5).at[bench.IdOf(4)] = "";
  EXPECT_THAT(Decide(bench.Say(true)),
              testing::ElementsAre(Command{4, {"CLUSTER", "MEET", "10.0.0.5", "6379", "16379"}}));
  bench.Settle(true);
  EXPECT_EQ(bench.servers.at(5).at[bench.IdOf(4)], "10.0.0.4");
  // Of two of whom one knows where the other is, Redis tells the other.
  bench.servers.at(5).at[bench.IdOf(4)] = "";
  EXPECT_THAT(Decide(bench.Say(true)), IsEmpty());
}

TEST(ShardDecision, ManyAreNotIntroducedAllAtOnce) {
  ShardBench bench(3, 3);
  bench.Settle(false);
  for (auto& [ordinal, server] : bench.servers) {
    for (auto& [id, address] : server.at) {
      if (ordinal != 0 && id != bench.IdOf(0) && id != server.id) address = "";
    }
  }
  EXPECT_THAT(Decide(bench.Say(true)), SizeIs(kMeetingsAtOnce));
  bench.Settle(true);
  for (const auto& [ordinal, server] : bench.servers) {
    for (const auto& [id, address] : server.at) EXPECT_NE(address, "");
  }
}

TEST(ShardDecision, AReplicaThatCopiesFromWhereItsMasterWasIsToldAgain) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  Facts facts = bench.Say(true);
  facts.reports[3].copies_from = "10.0.0.2";
  facts.reports[3].in_step = false;
  EXPECT_THAT(Decide(facts), IsEmpty()) << "its master is there, and it copies everything";
  facts.reports[3].copies_from = "10.0.0.4";
  EXPECT_THAT(Decide(facts), testing::ElementsAre(Command{3, {"CLUSTER", "REPLICATE", bench.IdOf(2)}}));
  facts.reports[3].in_step = true;
  EXPECT_THAT(Decide(facts), IsEmpty());
}

TEST(ShardDecision, AnEmptyVolumeBecomesAReplicaOfWhoHasTheDataNow) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  const std::string former = bench.IdOf(2);
  bench.Start(2);
  // Nobody has taken over yet: it is met, and gets neither slots nor a master. The former one is not forgotten, or its
  // replica could not be elected.
  bench.Settle(true);
  EXPECT_EQ(bench.OwnerOf(6000), former);
  EXPECT_EQ(bench.MasterOf(2), "");
  EXPECT_THAT(bench.KnownTo(0), Contains(former));
  bench.TakeOver(3);
  bench.Settle(true);
  EXPECT_EQ(bench.OwnerOf(6000), bench.IdOf(3));
  EXPECT_EQ(bench.MasterOf(2), bench.IdOf(3));
  for (const auto& [ordinal, server] : bench.servers) EXPECT_THAT(server.knows, Not(Contains(former)));
}

TEST(ShardDecision, TheNewestReplicaOfAMasterThatWillNotComeBackStandsForElection) {
  ShardBench bench(3, 2);
  bench.Settle(false);
  bench.Start(3);
  for (const std::int64_t replica : {4, 5}) {
    bench.servers.at(replica).in_step = false;
    bench.servers.at(replica).offset = replica;
    bench.servers.at(replica).cut_off_for = 61;
  }
  bench.Settle(true);
  EXPECT_EQ(bench.MasterOf(3), "") << "what they have is old: a person decides";
  for (const std::int64_t replica : {4, 5}) bench.servers.at(replica).cut_off_for = 2;
  EXPECT_THAT(Decide(bench.Say(true)), testing::ElementsAre(Command{5, {"CLUSTER", "FAILOVER", "FORCE"}}));
  bench.Settle(true);
  EXPECT_EQ(bench.OwnerOf(8000), bench.IdOf(5));
  EXPECT_EQ(bench.MasterOf(3), bench.IdOf(5));
  EXPECT_EQ(bench.MasterOf(4), bench.IdOf(5));
  // One that does not answer may come back.
  bench.servers.at(0).answers = false;
  bench.servers.at(1).cut_off_for = 2;
  EXPECT_THAT(Decide(bench.Say(true)), IsEmpty());
}

TEST(ShardDecision, AReplicaWithoutItsVolumeIsOneAgain) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  const std::string former = bench.IdOf(5);
  bench.Start(5);
  bench.Settle(true);
  EXPECT_EQ(bench.MasterOf(5), bench.IdOf(4));
  EXPECT_THAT(bench.KnownTo(0), Not(Contains(former)));
}

TEST(ShardDecision, AShardWithoutServersKeepsItsSlots) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  const std::string former = bench.IdOf(0);
  bench.Start(0);
  bench.Start(1);
  bench.Settle(true);
  EXPECT_EQ(bench.OwnerOf(0), former);
  EXPECT_EQ(bench.MasterOf(0), "") << "the other shards have their replicas";
  EXPECT_EQ(bench.MasterOf(1), "");
}

TEST(ShardDecision, WhoMayHaveAllThatIsLeftOfSlotsFollowsNobodyElse) {
  ShardBench bench(3, 2);
  bench.Settle(false);
  // Another shard has room, and who has it next has to copy all of it.
  bench.Start(5);
  bench.Settle(true, 1);
  Facts facts = bench.Say(true);
  for (Report& report : facts.reports) {
    // Two that follow each other, and nobody has their slots.
    for (Node& node : report.nodes) {
      if (node.id == bench.IdOf(0)) node.slots.clear();
      if (node.id == bench.IdOf(0)) node.master_id = bench.IdOf(1);
      if (node.id == bench.IdOf(5)) node.master_id.clear();
    }
  }
  facts.reports[5].keys = 0;
  for (const Command& command : Decide(facts)) EXPECT_GT(command.ordinal, 2) << command.words.at(1);
  EXPECT_THAT(Decide(facts), testing::ElementsAre(Command{5, {"CLUSTER", "REPLICATE", bench.IdOf(3)}}));
  facts.reports[5].keys = 1;
  EXPECT_THAT(Decide(facts), IsEmpty());
}

TEST(ShardDecision, ServersWithoutDataGetNoSlotsOnceThereMayBeSome) {
  ShardBench bench(3, 1);
  bench.Settle(true);
  for (const int slot : {0, 8000, 16383}) EXPECT_EQ(bench.OwnerOf(slot), "");
}

TEST(ShardDecision, OneThatDoesNotAnswerJustNowIsLeftInPeace) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  for (const std::int64_t ordinal : {0, 1, 3}) bench.servers.at(ordinal).answers = false;
  EXPECT_THAT(Decide(bench.Say(true)), IsEmpty());
}

TEST(ShardDecision, AnotherClustersServerIsNotMet) {
  ShardBench bench(3, 1);
  bench.Settle(false);
  ShardBench other(3, 1);
  other.Settle(false);
  Facts facts = bench.Say(true);
  Facts foreign = other.Say(true);
  facts.reports[1] = foreign.reports[2];
  facts.reports[1].ordinal = 1;
  for (Node& node : facts.reports[1].nodes) node.id = "foreign-" + node.id;
  for (const Command& command : Decide(facts)) EXPECT_NE(command.words.at(1), "MEET");
}

}  // namespace
}  // namespace holdfast::shards
