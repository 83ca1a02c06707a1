#include "operator/shards/nodes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::shards {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// As Redis 7.0.15 says it.
constexpr char kNodes[] =
    "07c37d 10.0.0.1:6379@16379,demo-cache-0.demo-cache-pods.prod.svc myself,master - 0 0 3 connected 0-5460 5462 "
    "[77->-67ed2d] [93-<-292f8b]\n"
    "67ed2d 10.0.0.2:6379@16379,demo-cache-1.demo-cache-pods.prod.svc slave 07c37d 0 1426238317741 3 connected\n"
    "292f8b 10.0.0.3:6379@16379 master,fail - 1426238316232 1426238316232 2 disconnected 5461 5463-16383\n"
    "aaaaaa :0@0 master,noaddr,fail? - 0 0 0 disconnected\n"
    "bbbbbb fd00::7:6379@16379 handshake - 0 0 0 connected\n";

TEST(ShardNodes, AreReadFromWhatAServerSays) {
  const auto nodes = ParseNodes(kNodes);
  ASSERT_TRUE(nodes.ok()) << nodes.error().message();
  ASSERT_EQ(nodes->size(), 5u);
  const Node& self = nodes->at(0);
  EXPECT_TRUE(self.myself && self.master && self.connected && !self.failed);
  EXPECT_EQ(self.ip, "10.0.0.1");
  EXPECT_EQ(self.pod(), "demo-cache-0");
  EXPECT_EQ(self.epoch, 3);
  EXPECT_THAT(self.slots, ElementsAre(SlotRange{0, 5460}, SlotRange{5462, 5462}));
  EXPECT_EQ(Spell(self.slots), "0-5460 5462");
  EXPECT_THAT(self.migrating, ElementsAre(Pair(77, "67ed2d")));
  EXPECT_THAT(self.importing, ElementsAre(Pair(93, "292f8b")));
  EXPECT_EQ(nodes->at(1).master_id, "07c37d");
  EXPECT_FALSE(nodes->at(1).master);
  EXPECT_TRUE(nodes->at(2).failed && !nodes->at(2).suspected && !nodes->at(2).connected);
  EXPECT_EQ(nodes->at(2).pod(), "");
  EXPECT_TRUE(nodes->at(3).suspected && !nodes->at(3).failed);
  EXPECT_EQ(nodes->at(3).ip, "");
  EXPECT_TRUE(nodes->at(4).handshake);
  EXPECT_EQ(nodes->at(4).ip, "fd00::7");
}

TEST(ShardNodes, WhatCannotBeIsNone) {
  for (const char* text :
       {"", "a b c\n", "a 1.1.1.1:1@2 master - 0 0 1 connected\n", "a 1.1.1.1:1@2 myself,master - 0 0 x connected\n",
        "a 1.1.1.1:1@2 myself,master - 0 0 1 connected 16384\n", "a 1.1.1.1:1@2 myself,master - 0 0 1 connected 7-3\n",
        "a 1.1.1.1:1@2 myself,master - 0 0 1 connected [7->-\n",
        "a 1.1.1.1:1@2 myself,master - 0 0 1 connected [7]\n"}) {
    EXPECT_FALSE(ParseNodes(text).ok()) << text;
  }
}

TEST(ShardNodes, WhoCopiesFromAnotherThanItsMasterIsNotInStep) {
  const auto follows = [](const std::string& id, const std::string& ip, const std::string& from) {
    Node node{.id = id, .ip = ip, .host = {}, .myself = true, .master_id = "master"};
    return Report{.ordinal = 0, .ip = ip, .nodes = {std::move(node)}, .in_step = true, .copies_from = from};
  };
  Node master{.id = "master", .ip = "10.0.0.1", .host = {}, .myself = true, .master = true};
  std::vector<Report> reports = {{.ordinal = 0, .ip = "10.0.0.1", .nodes = {master}},
                                 follows("right", "10.0.0.2", "10.0.0.1"),
                                 follows("wrong", "10.0.0.3", "10.0.0.2"),
                                 follows("of who does not answer", "10.0.0.4", "10.0.0.9")};
  Distrust(&reports);
  EXPECT_TRUE(reports[1].in_step);
  EXPECT_FALSE(reports[2].in_step);
  EXPECT_TRUE(reports[3].in_step);
}

TEST(ShardOwners, TheNewestClaimIsRight) {
  const auto claims = [](const std::string& id, std::int64_t epoch, int first, int last) {
    Node node{.id = id, .ip = {}, .host = {}};
    node.master = true;
    node.epoch = epoch;
    node.slots = {{first, last}};
    return node;
  };
  Report old{.ordinal = 0, .ip = {}, .nodes = {claims("a", 1, 0, 100)}};
  Report newer{.ordinal = 1, .ip = {}, .nodes = {claims("b", 2, 50, 100), claims("c", 3, 200, 200)}};
  const Owners owners({old, newer});
  EXPECT_EQ(owners.Of(49), "a");
  EXPECT_EQ(owners.Of(50), "b");
  EXPECT_EQ(owners.Of(150), "");
  EXPECT_EQ(owners.covered(), 102);
  EXPECT_EQ(Spell(owners.slots().at("a")), "0-49");
  EXPECT_TRUE(owners.Has("c"));
  EXPECT_FALSE(owners.Has("d"));
}

}  // namespace
}  // namespace holdfast::shards
