#include "operator/shards/view.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/operator/shards/shard_bench.h"

namespace holdfast::shards {
namespace {

using ::testing::HasSubstr;

ShardBench Formed() {
  ShardBench bench(3, 1);
  bench.Settle(false);
  return bench;
}

TEST(ShardView, TellsWhoHasWhichSlots) {
  ShardBench bench = Formed();
  bench.servers.at(3).in_step = false;
  const View view = Look("cache", bench.Say(true));
  EXPECT_EQ(view.state, State::kServing);
  EXPECT_EQ(view.covered, 16384);
  EXPECT_EQ(view.replicas, 3);
  EXPECT_EQ(view.in_step, 2);
  ASSERT_EQ(view.shards.size(), 3u);
  EXPECT_EQ(view.shards[0], (View::Shard{"0-5460", "demo-cache-0", true, 1, true}));
  EXPECT_EQ(view.shards[1], (View::Shard{"5461-10921", "demo-cache-2", true, 0, true}));
  EXPECT_EQ(view.members[3], (View::Member{"demo-cache-3", "Behind"}));
  EXPECT_EQ(view.Remedy(), "");
}

TEST(ShardView, AClusterThatNobodyWasToldOfForms) {
  EXPECT_EQ(Look("cache", ShardBench(3, 1).Say(false)).state, State::kForming);
  EXPECT_EQ(Look("cache", Formed().Say(false)).state, State::kForming);
}

TEST(ShardView, AMasterThatIsGoneIsReplacedOrSaidToBeLost) {
  ShardBench bench = Formed();
  bench.servers.at(2).answers = false;
  View view = Look("cache", bench.Say(true));
  EXPECT_EQ(view.state, State::kFailingOver);
  EXPECT_EQ(view.shards[1].master, "demo-cache-2");
  EXPECT_FALSE(view.shards[1].serves);
  EXPECT_EQ(view.covered, 16384 - 5461);
  EXPECT_EQ(view.Remedy(), "");
  view = AsLost(view);
  EXPECT_EQ(view.state, State::kShardLost);
  EXPECT_THAT(view.Remedy(), HasSubstr("slots 5461-10921 are not served: their master demo-cache-2 is gone and its"));
  bench.TakeOver(3);
  view = Look("cache", bench.Say(true));
  EXPECT_EQ(view.state, State::kServing);
  EXPECT_EQ(view.shards[1].master, "demo-cache-3");
}

TEST(ShardView, AShardOfWhichAllVolumesAreGoneIsLostAtOnce) {
  ShardBench bench = Formed();
  bench.Start(2);
  bench.Start(3);
  bench.Settle(true);
  const View view = Look("cache", bench.Say(true));
  EXPECT_EQ(view.state, State::kShardLost);
  EXPECT_THAT(view.Remedy(), HasSubstr("slots 5461-10921"));
  EXPECT_THAT(view.Remedy(), HasSubstr("with all its replicas"));
  EXPECT_THAT(view.Remedy(), HasSubstr("docs/runbooks.md"));
  EXPECT_EQ(view.members[2].role, "New");
}

TEST(ShardView, OneThatIsNotReachedByTheOperatorAloneServes) {
  ShardBench bench = Formed();
  Facts facts = bench.Say(true);
  facts.reports.erase(facts.reports.begin() + 2);
  EXPECT_EQ(Look("cache", facts).state, State::kServing);
}

TEST(ShardView, MostServersHaveToAnswer) {
  ShardBench bench = Formed();
  for (const std::int64_t ordinal : {0, 1, 2}) bench.servers.at(ordinal).answers = false;
  const View view = Look("cache", bench.Say(true));
  EXPECT_EQ(view.state, State::kSilent);
  EXPECT_THAT(view.Remedy(), HasSubstr("do not answer"));
}

}  // namespace
}  // namespace holdfast::shards
