// Slots between two real masters.
#include "operator/shards/slot_transfer.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/redis/slot.h"
#include "base/redis/url.h"
#include "tests/redis/redis_cluster.h"

namespace holdfast::shards {
namespace {

using redis_servers::RedisCluster;
using redis_servers::RedisServer;

constexpr int kKeys = 95;

class SlotTransfer : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = RedisCluster::Start({.replicas = 0, .acl = true, .parameters = {}});
    ASSERT_TRUE(started.ok()) << started.error().message();
    cluster_ = std::move(*started);
    giver_ = cluster_->servers()[0].get();
    taker_ = cluster_->servers()[1].get();
    // A tag whose slot the first server has.
    for (int i = 0; slot_ < 0 || slot_ > 5'000; ++i) slot_ = redis::SlotOf(tag_ = "{" + std::to_string(i) + "}");
    for (int i = 0; i < kKeys; ++i) Ask(*giver_, {"SET", Key(i), "first"});
    transfer_ = {.slots = {slot_, slot_ + 1, slot_ + 2},
                 .from_id = Ask(*giver_, {"CLUSTER", "MYID"}),
                 .to_id = Ask(*taker_, {"CLUSTER", "MYID"}),
                 .to_address = "127.0.0.1",
                 .to_port = taker_->port(),
                 .user = redis_servers::kUser,
                 .password = redis_servers::kPassword};
  }

  std::string Key(int i) const { return tag_ + std::to_string(i); }
  static std::string Ask(const RedisServer& server, const std::vector<std::string>& words) {
    const auto answer = server.Cli(words);
    EXPECT_TRUE(answer.ok()) << answer.error().message();
    return answer.ok() ? answer->substr(0, answer->find_first_of("\r\n")) : std::string();
  }
  int KeysOf(const RedisServer& server) const {
    return std::stoi(Ask(server, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot_)}));
  }
  static std::unique_ptr<redis::Connection> Connect(const RedisServer& server) {
    redis::Options options;
    options.target = redis::ParseUrl(server.SocketUrl()).value();
    return redis::Connection::Open(options.target.addresses.front(), options, redis::Connection::Expect::kNothing,
                                   Deadline::After(std::chrono::seconds(30)))
        .value();
  }
  // One round, by somebody who knows nothing of those before.
  Status Round(const TransferLimits& limits) const {
    return TransferSlots(*Connect(*giver_), *Connect(*taker_), transfer_, limits);
  }
  void ExpectAllMoved() const {
    EXPECT_EQ(KeysOf(*giver_), 0);
    EXPECT_EQ(KeysOf(*taker_), kKeys);
    for (const int slot : transfer_.slots) {
      const auto master = cluster_->MasterOf(static_cast<std::uint16_t>(slot));
      ASSERT_TRUE(master.ok()) << master.error().message();
      EXPECT_EQ(*master, taker_);
    }
    for (const RedisServer* server : {giver_, taker_}) {
      EXPECT_EQ(server->Cli({"CLUSTER", "NODES"}).value().find("->-"), std::string::npos);
      EXPECT_EQ(server->Cli({"CLUSTER", "NODES"}).value().find("-<-"), std::string::npos);
    }
  }

  std::unique_ptr<RedisCluster> cluster_;
  RedisServer* giver_ = nullptr;
  RedisServer* taker_ = nullptr;
  std::string tag_;
  int slot_ = -1;
  Transfer transfer_;
};

TEST_F(SlotTransfer, redis_cluster_KeysGoAlong) {
  const Status moved = Round({});
  ASSERT_TRUE(moved.ok()) << moved.error().message();
  ExpectAllMoved();
}

TEST_F(SlotTransfer, redis_cluster_WhoeverIsStoppedAfterEachMigrateIsFollowedByAnother) {
  const TransferLimits little{.keys_at_once = 10, .round_budget = std::chrono::milliseconds{0}};
  // The slots without keys are over after the first round.
  ASSERT_TRUE(Round(little).ok());
  transfer_.slots = {slot_};
  for (int moved = 10; moved < kKeys; moved += 10) {
    EXPECT_EQ(KeysOf(*giver_), kKeys - moved);
    EXPECT_EQ(KeysOf(*taker_), moved);
    const Status round = Round(little);
    ASSERT_TRUE(round.ok()) << round.error().message();
  }
  ASSERT_TRUE(Round(little).ok());
  transfer_.slots = {slot_, slot_ + 1, slot_ + 2};
  ExpectAllMoved();
}

TEST_F(SlotTransfer, redis_cluster_OfAKeyThatIsInBothPlacesTheGiversIsRight) {
  const TransferLimits little{.keys_at_once = 1, .round_budget = std::chrono::milliseconds{0}};
  ASSERT_TRUE(Round(little).ok());
  transfer_.slots = {slot_};
  // A MIGRATE that was cut off behind its first half, and a write after it.
  std::string key;
  for (int i = 0; i < kKeys && key.empty(); ++i) {
    if (Ask(*giver_, {"EXISTS", Key(i)}) == "1") key = Key(i);
  }
  Ask(*giver_, {"MIGRATE", "127.0.0.1", std::to_string(taker_->port()), key, "0", "5000", "COPY", "AUTH2",
                redis_servers::kUser, redis_servers::kPassword});
  Ask(*giver_, {"SET", key, "second"});
  ASSERT_TRUE(Round({}).ok());
  EXPECT_EQ(Ask(*taker_, {"GET", key}), "second");
  EXPECT_EQ(KeysOf(*taker_), kKeys);
}

TEST_F(SlotTransfer, redis_cluster_AnErrorOfAServerIsTold) {
  transfer_.password = "wrong";
  const Status moved = Round({});
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.error().message().find("wrong"), std::string::npos);
  EXPECT_EQ(KeysOf(*giver_), kKeys);
  transfer_.password = redis_servers::kPassword;
  transfer_.slots = {slot_};
  ASSERT_TRUE(Round({}).ok());
  EXPECT_EQ(KeysOf(*taker_), kKeys);
}

}  // namespace
}  // namespace holdfast::shards
