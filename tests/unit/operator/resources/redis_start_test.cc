// What start.sh and sentinel.sh decide, run by the machine's own sh before a redis-cli that answers what the test says
// and a redis-server that only ends. Whoever would wait ends at the first sleep.
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// ... -h HOST -p PORT ... --user USER COMMAND...
constexpr char kCli[] = R"(#!/bin/sh
while [ "$1" != --user ]; do
  [ "$1" = -h ] && host=$2
  shift
done
shift 2
cat "$ANSWERS/$host $*" 2>/dev/null
)";
// What it was started with, once everybody beside it has had time for a question.
constexpr char kServer[] = "#!/bin/sh\ncat \"$1\" >\"$ANSWERS/started\"\n";
constexpr char kSleep[] = "#!/bin/sh\nkill -TERM \"$PPID\"\n";

constexpr char kSelf[] = "demo-cache-0.prod.svc";
constexpr char kPeer[] = "demo-cache-1.prod.svc";

class RedisStartTest : public ::testing::Test {
 protected:
  RedisStartTest() {
    std::string pattern = (fs::temp_directory_path() / "holdfast-start-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    for (const char* name : {"config", "credentials", "data", "run", "bin", "answers"}) {
      fs::create_directories(folder_ / name);
    }
    const kube::Json scripts = SentinelScripts();
    for (const auto& [name, text] : scripts.items()) Write("config/" + name, text.get<std::string>());
    Write("config/servers", std::string(kSelf) + "\n" + kPeer + "\n");
    Write("config/sentinels", "s0\ns1\ns2\n");
    Write("config/redis.conf", "port 0\n");
    Write("config/sentinel.conf", "port 0\n");
    for (const char* file : {kReplicationPassword, kKeeperPassword, kSentinelPassword}) {
      Write(std::string("credentials/") + file, std::string("word-of-") + file);
    }
    Initialized("yes");
    for (const auto& [name, text] :
         std::map<std::string, std::string>{{"redis-cli", kCli}, {"redis-server", kServer}, {"sleep", kSleep}}) {
      Write("bin/" + name, text);
      fs::permissions(folder_ / "bin" / name, fs::perms::owner_all);
    }
  }
  ~RedisStartTest() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void Initialized(const char* answer) const { Write("credentials/initialized", answer); }
  // What a sentinel says of the master.
  void Says(const std::string& sentinel, const std::string& master, int epoch, const std::string& flags = "master") {
    std::ostringstream text;
    text << "name\nmain\nip\n" << master << "\nport\n6379\nflags\n" << flags << "\nconfig-epoch\n" << epoch << "\n";
    Write("answers/" + sentinel + " sentinel master main", text.str());
  }
  void AllSay(const std::string& master, const std::string& flags = "master") {
    for (const char* sentinel : {"s0", "s1", "s2"}) Says(sentinel, master, 3, flags);
  }
  void HoldsData() const {
    fs::create_directories(folder_ / "data" / "appendonlydir");
    Write("data/holds-data", "");
  }
  // The configuration that the server was started with; "" when it was not. What was said is in said_.
  std::string Run(const std::string& script, const std::string& pod = "demo-cache-0") {
    fs::remove(folder_ / "answers" / "started");
    const auto in = [&](const char* name) { return "='" + (folder_ / name).string() + "' "; };
    std::string command =
        "env -i PATH='" + (folder_ / "bin").string() + "':/usr/bin:/bin POD_IP=10.0.0.1 " +
        "POD_NAMESPACE=prod MASTER_NAME=main REDIS_PORT=6379 SENTINEL_PORT=26379 QUORUM=2 POD_NAME=" + pod +
        " CONFIG_DIR" + in("config") + "CREDENTIALS_DIR" + in("credentials") + "DATA_DIR" + in("data") + "RUN_DIR" +
        in("run") + "TLS_DIR" + in("config") + "ANSWERS" + in("answers");
    command += "sh '" + (folder_ / "config" / script).string() + "' >'" + (folder_ / "said").string() + "' 2>&1";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status)) << status;
    said_ = Read("said");
    return Read("answers/started");
  }

  fs::path folder_;
  std::string said_;
};

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
  EXPECT_THAT(Run("start.sh"), HasSubstr(std::string("\nreplicaof ") + kPeer + " 6379\nreplica-priority 0\n"));
}

TEST_F(RedisStartTest, AFormerMasterComesBackAsAReplica) {
  HoldsData();
  AllSay(kPeer);
  const std::string started = Run("start.sh");
  EXPECT_THAT(started, HasSubstr(std::string("replicaof ") + kPeer + " 6379\n"));
  EXPECT_THAT(started, HasSubstr("masterauth word-of-replication-password\n"));
  EXPECT_THAT(started, HasSubstr(std::string("replica-announce-ip ") + kSelf + "\n"));
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
  EXPECT_THAT(Run("start.sh"), HasSubstr("replicaof"));
  EXPECT_FALSE(fs::exists(folder_ / "data" / "holds-data")) << "before it was in step";
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

TEST_F(RedisStartTest, OfANewClusterTheSentinelsExpectTheFirstServer) {
  Initialized("no");
  EXPECT_THAT(Run("sentinel.sh"), HasSubstr(std::string("sentinel monitor main ") + kSelf + " 6379 2\n"));
}

}  // namespace
}  // namespace holdfast::resources
