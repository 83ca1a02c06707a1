#include "base/redis/sentinels.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/redis/client.h"
#include "tests/redis/sentinel_group.h"
#include "tests/unit/base/redis/scripted_peer.h"
#include "tests/waiting/eventually.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;
using redis_servers::SentinelGroup;
using redis_servers::SentinelGroupOptions;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{60});
}

Options OptionsFor(const std::string& url) {
  Options options;
  options.target = ParseUrl(url).value();
  return options;
}

Result<Value> Eventually(Client& client, std::initializer_list<std::string_view> words) {
  const Deadline deadline = Soon();
  while (true) {
    Result<Value> reply = client.Run(Effect::kWrite, words, deadline);
    if (reply.ok() || deadline.Expired()) return reply;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

class RedisSentinel : public testing::Test {
 protected:
  void SetUp() override {
    SentinelGroupOptions options;
    options.acl = true;
    auto started = SentinelGroup::Start(options);
    ASSERT_TRUE(started.ok()) << started.error().message();
    group_ = std::move(*started);
  }

  std::unique_ptr<Client> Make(Role role = Role::kMaster) {
    Options options = OptionsFor(group_->Url());
    options.role = role;
    auto made = Client::Make(options);
    EXPECT_TRUE(made.ok());
    return std::move(*made);
  }

  std::unique_ptr<SentinelGroup> group_;
};

TEST_F(RedisSentinel, redis_sentinel_WritesGoOnAtTheNewMasterAfterTheOldWasKilled) {
  const auto client = Make();
  ASSERT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
  EXPECT_EQ(client->master_changes(), 0u);
  RedisServer& old = *group_->servers()[0];
  ASSERT_TRUE(group_->servers()[1]->AwaitReplica().ok());
  ASSERT_TRUE(group_->servers()[2]->AwaitReplica().ok());
  old.Kill();
  const Result<Value> written = Eventually(*client, {"SET", "b", "2"});
  ASSERT_TRUE(written.ok()) << written.error().message();
  EXPECT_EQ(*Eventually(*client, {"GET", "a"}), Value::String("1"));
  EXPECT_EQ(client->master_changes(), 1u);
  const Result<RedisServer*> now = group_->AwaitOtherMaster(old);
  ASSERT_TRUE(now.ok());
  EXPECT_EQ((*now)->Cli({"GET", "b"}).value(), "2");

  // The old one comes back as a master and is told otherwise: it is never written to.
  ASSERT_TRUE(old.StartAgain().ok());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Eventually(*client, {"SADD", "n", std::to_string(i)}).ok());
  EXPECT_EQ((*now)->Cli({"SCARD", "n"}).value(), "50");
}

TEST_F(RedisSentinel, redis_sentinel_AFrozenMasterIsLeftWhenTheSentinelsSaySo) {
  const auto client = Make();
  ASSERT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
  RedisServer& old = *group_->servers()[0];
  old.Freeze();
  const Result<Value> written = Eventually(*client, {"SET", "b", "2"});
  ASSERT_TRUE(written.ok()) << written.error().message();
  old.Thaw();
  const Result<RedisServer*> now = group_->AwaitOtherMaster(old);
  ASSERT_TRUE(now.ok());
  EXPECT_EQ((*now)->Cli({"GET", "b"}).value(), "2");
}

TEST_F(RedisSentinel, redis_sentinel_AnOrderedFailoverIsFollowedAndSentinelsMayDie) {
  const auto client = Make();
  ASSERT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
  ASSERT_TRUE(group_->sentinels()[2]->Cli({"SENTINEL", "FAILOVER", redis_servers::kMasterName}).ok());
  const Deadline deadline = Soon();
  while (client->master_changes() == 0 && !deadline.Expired()) {
    // Of themselves: no call tells the client.
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(client->master_changes(), 1u);
  group_->sentinels()[0]->Kill();
  group_->sentinels()[1]->Kill();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Eventually(*client, {"INCR", "n"}).ok());
}

TEST_F(RedisSentinel, redis_sentinel_ReplicasAreForReading) {
  const auto client = Make();
  ASSERT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
  ASSERT_TRUE(group_->servers()[1]->AwaitReplica().ok());
  ASSERT_TRUE(group_->servers()[2]->AwaitReplica().ok());
  const auto reader = Make(Role::kReplica);
  EXPECT_EQ(*Eventually(*reader, {"GET", "a"}), Value::String("1"));
  const Result<Value> write = reader->Run(Effect::kWrite, {"SET", "a", "2"}, Soon());
  EXPECT_FALSE(write.ok());
}

// A sentinel of which the answers are given here.
std::string MasterReply(const Address& master, int epoch) {
  std::string reply = "*6\r\n";
  for (const std::string& word : {std::string("ip"), master.host, std::string("port"), std::to_string(master.port),
                                  std::string("config-epoch"), std::to_string(epoch)}) {
    reply.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
  return reply;
}

void Answer(const ScriptedPeer::Talk& talk, const std::string& reply) {
  talk.HearUntil("PING");
  talk.Say("+PONG\r\n");
  talk.HearUntil("SENTINEL");
  talk.Say(reply);
  talk.Hear();
}

Sentinels Asking(const std::vector<const ScriptedPeer*>& peers) {
  Options options;
  options.target.topology = Target::Topology::kSentinel;
  options.target.master = "main";
  for (const ScriptedPeer* peer : peers) options.target.addresses.push_back(peer->address());
  return Sentinels(options);
}

TEST(Sentinels, OneThatWasCutOffDoesNotLeadBack) {
  const Address before{"10.0.0.1", 6379, ""};
  const Address now{"10.0.0.2", 6379, ""};
  const ScriptedPeer stale([&](const ScriptedPeer::Talk& talk) { Answer(talk, MasterReply(before, 4)); });
  const ScriptedPeer fresh([&](const ScriptedPeer::Talk& talk) { Answer(talk, MasterReply(now, 5)); });
  Sentinels sentinels = Asking({&stale, &fresh});
  // While nothing is known, the first that answers is believed.
  EXPECT_EQ(sentinels.FindMaster(0, Soon(), nullptr)->address, before);
  const Result<KnownMaster> found = sentinels.FindMaster(5, Soon(), nullptr);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->address, now);
  EXPECT_FALSE(found->older);
  // The one that answered is asked first from now on.
  EXPECT_EQ(sentinels.InOrder().front(), fresh.address());
}

TEST(Sentinels, AllOfThemAnewAreBelieved) {
  const Address master{"10.0.0.1", 6379, ""};
  const ScriptedPeer first([&](const ScriptedPeer::Talk& talk) { Answer(talk, MasterReply(master, 0)); });
  const ScriptedPeer second([&](const ScriptedPeer::Talk& talk) { Answer(talk, MasterReply(master, 1)); });
  const Result<KnownMaster> found = Asking({&first, &second}).FindMaster(7, Soon(), nullptr);
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->older);
  EXPECT_EQ(found->epoch, 1u);
}

TEST(Sentinels, OneThatCannotBeAskedMayKnowBetter) {
  const Address master{"10.0.0.1", 6379, ""};
  const ScriptedPeer old([&](const ScriptedPeer::Talk& talk) { Answer(talk, MasterReply(master, 1)); });
  const ScriptedPeer refuses([](const ScriptedPeer::Talk& talk) { talk.Say("-ERR go away\r\n"); });
  EXPECT_FALSE(Asking({&old, &refuses}).FindMaster(2, Soon(), nullptr).ok());
}

TEST(Sentinels, WhoKnowsNoSuchMasterIsQuoted) {
  const ScriptedPeer peer(
      [](const ScriptedPeer::Talk& talk) { Answer(talk, "-ERR No such master with that name\r\n"); });
  const Result<KnownMaster> found = Asking({&peer}).FindMaster(0, Soon(), nullptr);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(found.error().message().find("none of the 1 sentinels names the master main"), std::string::npos);
  EXPECT_NE(found.error().message().find("No such master"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::redis
