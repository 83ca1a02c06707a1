// What start.sh and sentinel.sh decide.
#include "tests/unit/operator/resources/redis_script_bench.h"

namespace holdfast::resources {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class RedisStartTest : public RedisScriptBench {};

TEST_F(RedisStartTest, NobodyStartsUntilMostSentinelsSayWhoIsTheMaster) {
  HoldsData();
  Says("s0", kSelf, 3);
  EXPECT_EQ(Run("start.sh"), "");
  EXPECT_THAT(said_, HasSubstr("1 of 3 sentinels answer"));
  Says("s2", kSelf, 3);
  EXPECT_THAT(Run("start.sh"), Not(HasSubstr("replicaof")));
  EXPECT_THAT(said_, HasSubstr("starts as master"));
}

TEST_F(RedisStartTest, TheNewestOfTheSentinelsThatAnswerIsBelieved) {
  HoldsData();
  Says("s0", kSelf, 3);
  Says("s1", kPeer, 4);
  EXPECT_THAT(Run("start.sh"), HasSubstr(std::string("\nreplicaof ") + kPeer + " 6379\n"));
}

TEST_F(RedisStartTest, AFormerMasterComesBackAsAReplica) {
  HoldsData();
  AllSay(kPeer);
  const std::string started = Run("start.sh");
  EXPECT_THAT(started, HasSubstr(std::string("replicaof ") + kPeer + " 6379\n"));
  EXPECT_THAT(started, HasSubstr("masterauth word-of-replication-password\n"));
  EXPECT_THAT(started, HasSubstr(std::string("replica-announce-ip ") + kSelf + "\nreplica-announce-port 6379\n"));
  // keep.sh decides when.
  EXPECT_THAT(started, HasSubstr("\ntls-port 0\n"));
  EXPECT_THAT(said_, Not(HasSubstr("word-of")));
}

TEST_F(RedisStartTest, AMasterWithDataGoesOnUnlessAnotherIsBeingElected) {
  HoldsData();
  AllSay(kSelf, "master,s_down,o_down,failover_in_progress");
  EXPECT_EQ(Run("start.sh"), "");
  EXPECT_THAT(said_, HasSubstr("failover"));
  AllSay(kSelf, "master,s_down");
  EXPECT_THAT(Run("start.sh"), Not(HasSubstr("replicaof")));
  EXPECT_THAT(said_, HasSubstr("starts as master"));
}

// The one that must never be: its replicas would copy an empty master.
TEST_F(RedisStartTest, AnEmptyVolumeIsNeverAMasterOnceThereWasOne) {
  AllSay(kSelf);
  EXPECT_EQ(Run("start.sh"), "");
  EXPECT_THAT(said_, HasSubstr("its volume is empty"));
  // A server that began to copy and did not get to the end has a file, and still no data.
  fs::create_directories(folder_ / "data" / "appendonlydir");
  EXPECT_EQ(Run("start.sh"), "");
  // Without its file of writes what is noted beside it means nothing.
  fs::remove_all(folder_ / "data" / "appendonlydir");
  Write("data/holds-data", "");
  EXPECT_EQ(Run("start.sh"), "");
  // The control: with data the very same server starts.
  HoldsData();
  EXPECT_NE(Run("start.sh"), "");
}

TEST_F(RedisStartTest, AnEmptyVolumeJoinsWhoeverIsTheMaster) {
  AllSay(kPeer);
  // Left of a volume whose file of writes is gone.
  Write("data/holds-data", "");
  EXPECT_THAT(Run("start.sh"), HasSubstr("replicaof"));
  EXPECT_FALSE(Exists("data/holds-data")) << "before it was in step";
}

TEST_F(RedisStartTest, OfANewClusterOnlyTheServerThatTheSentinelsNameBeginsWithoutData) {
  AllSay(kSelf);
  Initialized("no");
  EXPECT_THAT(Run("start.sh"), Not(HasSubstr("replicaof")));
  EXPECT_THAT(said_, HasSubstr("starts as master"));
  EXPECT_THAT(Run("start.sh", "demo-cache-1"), HasSubstr(std::string("replicaof ") + kSelf));
}

TEST_F(RedisStartTest, APeerWithDataKeepsEvenTheServerOfANewClusterFromBeginning) {
  AllSay(kSelf);
  Initialized("no");
  Write(std::string("answers/") + kPeer + " info keyspace", "# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\n");
  EXPECT_EQ(Run("start.sh"), "");
  EXPECT_THAT(said_, HasSubstr("another server has data"));
}

TEST_F(RedisStartTest, ASentinelKeepsWhatItKnowsAndTakesOurSettingsAnew) {
  Write("data/sentinel.conf",
        "port 1\nsentinel myid 00ff\nsentinel monitor main demo-cache-1.prod.svc 6379 9\nsentinel auth-pass main old\n"
        "sentinel config-epoch main 7\nsentinel known-replica main demo-cache-0.prod.svc 6379\n"
        "sentinel known-sentinel main s1 26379 11ff\nsentinel current-epoch 7\nrequirepass old\n");
  const std::string started = Run("sentinel.sh", "demo-cache-sentinel-0");
  EXPECT_EQ(started, Read("data/sentinel.conf"));
  for (const char* line : {"port 0\n", "sentinel monitor main demo-cache-1.prod.svc 6379 2\n", "sentinel myid 00ff\n",
                           "sentinel config-epoch main 7\n", "sentinel known-replica main demo-cache-0.prod.svc 6379\n",
                           "sentinel known-sentinel main s1 26379 11ff\n", "sentinel current-epoch 7\n",
                           "sentinel auth-pass main word-of-sentinel-password\n",
                           "sentinel announce-ip demo-cache-sentinel-0.prod.svc\n"}) {
    EXPECT_THAT(started, HasSubstr(line));
  }
  EXPECT_THAT(started, Not(HasSubstr("old")));
  EXPECT_THAT(said_, Not(HasSubstr("word-of")));
}

TEST_F(RedisStartTest, ASentinelThatKnowsNothingAsksTheOthersThenTheServers) {
  EXPECT_EQ(Run("sentinel.sh", "demo-cache-sentinel-0"), "");
  EXPECT_THAT(said_, HasSubstr("knows no master"));
  Write(std::string("answers/") + kPeer + " role", "master\n100\n");
  EXPECT_THAT(Run("sentinel.sh"), HasSubstr(std::string("sentinel monitor main ") + kPeer));
  fs::remove(folder_ / "data" / "sentinel.conf");
  // Two that say so are none.
  Write(std::string("answers/") + kSelf + " role", "master\n0\n");
  EXPECT_EQ(Run("sentinel.sh"), "");
  Says("s2", kSelf, 1);
  EXPECT_THAT(Run("sentinel.sh"), HasSubstr(std::string("sentinel monitor main ") + kSelf));
}

TEST_F(RedisStartTest, ASentinelKnowsEveryServerFromTheBeginningAndNoneTwice) {
  Write("config/servers", std::string(kSelf) + "\n" + kPeer + "\ndemo-cache-2.prod.svc\n");
  const std::string known = std::string("sentinel known-replica main ") + kPeer + " 6379\n";
  Write("data/sentinel.conf", std::string("sentinel monitor main ") + kSelf + " 6379 2\n" + known);
  const std::string started = Run("sentinel.sh", "demo-cache-sentinel-0");
  EXPECT_THAT(started, HasSubstr(known + "sentinel known-replica main demo-cache-2.prod.svc 6379\n"));
  EXPECT_EQ(started.find(known), started.rfind(known));
  EXPECT_THAT(started, Not(HasSubstr(std::string("known-replica main ") + kSelf)));
}

TEST_F(RedisStartTest, OfANewClusterTheSentinelsExpectTheFirstServer) {
  Initialized("no");
  EXPECT_THAT(Run("sentinel.sh"), HasSubstr(std::string("sentinel monitor main ") + kSelf + " 6379 2\n"));
}

}  // namespace
}  // namespace holdfast::resources
