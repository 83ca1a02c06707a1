// What keep.sh does beside a server: from when it may be reached, and what is noted on its volume.
#include <signal.h>
#include <unistd.h>

#include <chrono>

#include "tests/unit/operator/resources/redis_script_bench.h"

namespace holdfast::resources {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kListens[] = "self config set tls-port 6379\n";
constexpr char kIdle[] =
    "loading:0\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:ok\r\n";
constexpr char kRewrites[] =
    "loading:0\r\naof_rewrite_in_progress:1\r\naof_rewrite_scheduled:0\r\naof_last_bgrewrite_status:ok\r\n";
constexpr char kInStep[] = "role:slave\r\nmaster_link_status:up\r\nslave_priority:100\r\n";
constexpr char kCutOff[] = "role:slave\r\nmaster_link_status:down\r\nslave_priority:100\r\n";
constexpr char kMaster[] = "role:master\r\nconnected_slaves:1\r\nmin_slaves_good_slaves:1\r\n";
constexpr char kLonelyMaster[] = "role:master\r\nconnected_slaves:0\r\nmin_slaves_good_slaves:0\r\n";
// 10 * down-after-milliseconds of the bench.
constexpr std::chrono::seconds kRecent{50};

class RedisKeepTest : public RedisScriptBench {
 protected:
  void Is(const char* replication, const char* persistence = kIdle, const std::string& when = "") const {
    fs::create_directories(folder_ / "answers" / when);
    Write("answers/" + when + "self info replication", replication);
    Write("answers/" + when + "self info persistence", persistence);
  }
  void ThenIs(const char* replication, const char* persistence = kIdle) const {
    Is(replication, persistence, "later/");
  }
  // The volume was in step so long ago.
  void HoldsDataOf(std::chrono::seconds age) const {
    HoldsData();
    fs::last_write_time(folder_ / "data" / "holds-data", fs::file_time_type::clock::now() - age);
  }
  std::chrono::seconds AgeNoted() const {
    return std::chrono::duration_cast<std::chrono::seconds>(fs::file_time_type::clock::now() -
                                                            fs::last_write_time(folder_ / "data" / "holds-data"));
  }
  // What was asked of servers and sentinels.
  std::string Keep(const std::string& role, int looks = 1) {
    fs::remove(folder_ / "answers" / "asked");
    Write("answers/looks", std::string(static_cast<std::size_t>(looks - 1), '.'));
    const pid_t server = fork();
    if (server == 0) {
      for (;;) pause();
    }
    Execute("keep.sh", "demo-cache-0", role + " " + std::to_string(server));
    // One that was ended says so now.
    // Whoever was ended before does not end of this.
    kill(server, SIGKILL);
    int status = 0;
    waitpid(server, &status, 0);
    server_ended_ = WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    return Read("answers/asked");
  }

  bool server_ended_ = false;
};

TEST_F(RedisKeepTest, AReplicaListensOnceItIsInStepAndItsVolumeToo) {
  AllSay(kPeer);
  Is(kCutOff);
  EXPECT_THAT(Keep("replica"), Not(HasSubstr("config set")));
  EXPECT_FALSE(Exists("data/holds-data"));
  // Copied, but not yet on the volume: a restart would find nothing.
  Is(kInStep, kRewrites);
  EXPECT_THAT(Keep("replica"), Not(HasSubstr("config set")));
  EXPECT_FALSE(Exists("data/holds-data"));
  ThenIs(kInStep);
  EXPECT_THAT(Keep("replica"), HasSubstr(kListens));
  EXPECT_TRUE(Exists("data/holds-data"));
}

TEST_F(RedisKeepTest, AServerThatReadsItsDataDoesNotListen) {
  AllSay(kSelf);
  HoldsData();
  Is(kLonelyMaster, "loading:1\r\n");
  EXPECT_THAT(Keep("master"), Not(HasSubstr("config set")));
  Is(kLonelyMaster);
  EXPECT_THAT(Keep("master"), HasSubstr(kListens));
}

// The one for want of which nobody was ever elected.
TEST_F(RedisKeepTest, AReplicaThatWasInStepMayBeElectedAfterItsOwnRestartAlthoughTheMasterIsGone) {
  AllSay(kPeer, "master,s_down,o_down", 600'000);
  HoldsDataOf(std::chrono::seconds(600) + kRecent - std::chrono::seconds(5));
  Is(kCutOff);
  const std::string asked = Keep("replica");
  EXPECT_THAT(asked, AllOf(HasSubstr(kListens), HasSubstr("self config set replica-priority ")));
  EXPECT_LT(asked.find("replica-priority"), asked.find(kListens)) << "the sentinels never see another one";
  EXPECT_GT(AgeNoted(), std::chrono::seconds(600)) << "it is not in step";
}

TEST_F(RedisKeepTest, AReplicaWhoseDataAreOldMayNot) {
  AllSay(kPeer, "master,s_down,o_down", 600'000);
  // Of the sentinels the one to which the master has been down for the shortest time counts.
  Says("s1", kPeer, 3, "master,s_down", 300'000);
  HoldsDataOf(std::chrono::seconds(300) + kRecent + std::chrono::seconds(5));
  Is(kCutOff);
  EXPECT_THAT(Keep("replica"), Not(HasSubstr("config set")));
  EXPECT_THAT(said_, HasSubstr("does not listen before it is in step"));
  // The control: a master that works, and the same replica a little younger.
  AllSay(kPeer);
  HoldsDataOf(kRecent - std::chrono::seconds(5));
  EXPECT_THAT(Keep("replica"), HasSubstr(kListens));
}

TEST_F(RedisKeepTest, APersonMaySayThatOldDataWillDo) {
  AllSay(kPeer, "master,s_down");
  Is(kCutOff);
  EXPECT_THAT(Keep("replica"), Not(HasSubstr("config set")));
  Write("run/elect", "");
  EXPECT_THAT(Keep("replica"), HasSubstr(kListens));
}

TEST_F(RedisKeepTest, TheNewestOfThoseThatAreNotInStepComesFirstAndAfterThoseThatAre) {
  const auto priority = [&](std::chrono::seconds age) {
    HoldsDataOf(age);
    Is(kCutOff);
    const std::string asked = Keep("replica");
    const std::string words = "config set replica-priority ";
    const std::size_t at = asked.find(words);
    return at == std::string::npos ? 0 : std::stol(asked.substr(at + words.size()));
  };
  AllSay(kPeer);
  const long newer = priority(std::chrono::seconds(10));
  const long older = priority(std::chrono::seconds(20));
  EXPECT_GT(newer, 100);
  EXPECT_LT(newer, older);
  EXPECT_LE(older, 2147483647L);
  // In step again it is as good as any.
  ThenIs("role:slave\r\nmaster_link_status:up\r\nslave_priority:1800000000\r\n");
  Is(kCutOff);
  EXPECT_THAT(Keep("replica"), HasSubstr("self config set replica-priority 100\n"));
}

TEST_F(RedisKeepTest, OneThatIsToGoIsNeverTheMasterHoweverWellItIsInStep) {
  AllSay(kPeer);
  HoldsData();
  Is("role:slave\r\nmaster_link_status:up\r\nslave_priority:0\r\n");
  const std::string asked = Keep("replica");
  EXPECT_THAT(asked, AllOf(HasSubstr(kListens), Not(HasSubstr("replica-priority"))));
}

TEST_F(RedisKeepTest, AMasterThatWasReplacedWhileItReadItsDataBeginsAnew) {
  AllSay(kPeer);
  HoldsData();
  Is(kLonelyMaster);
  EXPECT_THAT(Keep("master"), Not(HasSubstr("config set")));
  EXPECT_TRUE(Exists("run/again"));
  EXPECT_TRUE(server_ended_);
}

// In step with a former master, and known to nobody.
TEST_F(RedisKeepTest, AReplicaThatFollowsAnotherThanTheMasterIsLedBack) {
  const std::string words = std::string("self replicaof ") + kPeer + " 6379\n";
  const auto follows = [&](const std::string& master, int looks) {
    const std::string replication = std::string(kInStep) + "master_host:" + master + "\r\n";
    Is(replication.c_str());
    return Keep("replica", looks);
  };
  AllSay(kPeer);
  EXPECT_THAT(follows("demo-cache-2.prod.svc", 6), HasSubstr(words));
  EXPECT_THAT(follows("demo-cache-2.prod.svc", 5), Not(HasSubstr(words))) << "told twice";
  EXPECT_THAT(follows(kPeer, 12), Not(HasSubstr("replicaof")));
  AllSay(kPeer, "master,failover_in_progress");
  EXPECT_THAT(follows("demo-cache-2.prod.svc", 12), Not(HasSubstr("replicaof")));
  AllSay(kPeer);
  Is(kMaster);
  EXPECT_THAT(Keep("master", 12), Not(HasSubstr("replicaof"))) << "that is for the sentinels to say";
}

// Sentinels that found nobody good wait for minutes before they look again.
TEST_F(RedisKeepTest, AFailoverThatWasGivenUpIsBegunAgainOnceSomebodyMayBeElected) {
  const std::string words = " sentinel failover main\n";
  const std::string cut_off = std::string(kCutOff) + "master_host:" + kPeer + "\r\n";
  for (const char* sentinel : {"s1", "s2"})
    Write(std::string("answers/") + sentinel + words.substr(0, words.size() - 1), "OK\n");
  Is(cut_off.c_str());
  HoldsData();
  AllSay(kPeer, "master,s_down,o_down", 6000);
  const std::string asked = Keep("replica", 6);
  EXPECT_THAT(asked, HasSubstr("s1" + words)) << "s0 refuses";
  EXPECT_THAT(asked, Not(HasSubstr("s2" + words)));
  // Not while they are at it, nor before they were, nor while one of them sees the master.
  AllSay(kPeer, "master,s_down,o_down,failover_in_progress", 6000);
  EXPECT_THAT(Keep("replica", 6), Not(HasSubstr(words)));
  AllSay(kPeer, "master,s_down,o_down", 4000);
  EXPECT_THAT(Keep("replica", 6), Not(HasSubstr(words)));
  AllSay(kPeer, "master,s_down,o_down", 6000);
  Says("s2", kPeer, 3);
  EXPECT_THAT(Keep("replica", 6), Not(HasSubstr(words)));
  // Nor for somebody who may not be elected.
  AllSay(kPeer, "master,s_down,o_down", 6000);
  std::filesystem::remove(folder_ / "data" / "holds-data");
  EXPECT_THAT(Keep("replica", 6), Not(HasSubstr(words)));
}

TEST_F(RedisKeepTest, AVolumeIsAsOldAsItsServersLastTouchWithTheOthers) {
  AllSay(kSelf);
  // A master that is cut off may have been replaced; one whose replicas are in step was not.
  HoldsDataOf(std::chrono::seconds(40));
  Is(kLonelyMaster);
  Keep("master");
  EXPECT_GE(AgeNoted(), std::chrono::seconds(40));
  Is(kMaster);
  Keep("master");
  EXPECT_LT(AgeNoted(), std::chrono::seconds(30));
  // A replica that is in step, and then is not.
  HoldsDataOf(std::chrono::seconds(40));
  Is(kInStep);
  Keep("replica");
  EXPECT_LT(AgeNoted(), std::chrono::seconds(30));
}

TEST_F(RedisKeepTest, AReplicaThatBecomesTheMasterBeforeItsVolumeHasWhatItCopiedHoldsNothing) {
  AllSay(kPeer);
  HoldsDataOf(std::chrono::seconds(40));
  // Listens, since it was in step a moment ago; copies everything anew, and is elected.
  Is(kCutOff);
  ThenIs(kInStep, kRewrites);
  Keep("replica");
  EXPECT_GE(AgeNoted(), std::chrono::seconds(40)) << "what stands there is of before";
  Write("run/elect", "");
  Is(kInStep, kRewrites);
  ThenIs(kMaster, kRewrites);
  Keep("replica");
  EXPECT_FALSE(Exists("data/holds-data"));
}

}  // namespace
}  // namespace holdfast::resources
