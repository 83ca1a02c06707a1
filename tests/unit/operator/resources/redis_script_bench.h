// Runs the scripts of a Redis backend with sentinels by the machine's own sh, before a redis-cli that answers what the
// test says and a redis-server that only ends. Whoever would wait ends at the first sleep, or finds once what stands
// under later/ first, or is let on as often as looks has characters.
#pragma once

#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"

namespace holdfast::resources {

class RedisScriptBench : public ::testing::Test {
 protected:
  static constexpr char kSelf[] = "demo-cache-0.prod.svc";
  static constexpr char kPeer[] = "demo-cache-1.prod.svc";

  RedisScriptBench() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-start-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    for (const char* name : {"config", "credentials", "data", "run", "bin", "answers"}) {
      std::filesystem::create_directories(folder_ / name);
    }
    const kube::Json scripts = SentinelScripts();
    for (const auto& [name, text] : scripts.items()) Write("config/" + name, text.get<std::string>());
    Write("config/follow.sh", "");  // tested by itself
    Write("config/servers", std::string(kSelf) + "\n" + kPeer + "\n");
    Write("config/sentinels", "s0\ns1\ns2\n");
    Write("config/redis.conf", "port 0\nmin-replicas-to-write 1\n");
    Write("config/sentinel.conf", "port 0\n");
    for (const char* file : {kReplicationPassword, kKeeperPassword, kSentinelPassword}) {
      Write(std::string("credentials/") + file, std::string("word-of-") + file);
    }
    Initialized("yes");
    for (const auto& [name, text] :
         std::map<std::string, std::string>{{"redis-cli", kCli}, {"redis-server", kServer}, {"sleep", kSleep}}) {
      Write("bin/" + name, text);
      std::filesystem::permissions(folder_ / "bin" / name, std::filesystem::perms::owner_all);
    }
  }
  ~RedisScriptBench() override {
    // What runs beside a server may be about to end.
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void Write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  bool Exists(const char* name) const { return std::filesystem::exists(folder_ / name); }
  void Initialized(const char* answer) const { Write("credentials/initialized", answer); }
  // What a sentinel says of the master.
  void Says(const std::string& sentinel, const std::string& master, int epoch, const std::string& flags = "master",
            int down = 0) const {
    std::ostringstream text;
    text << "name\nmain\nip\n" << master << "\nport\n6379\nflags\n" << flags;
    if (down > 0) text << "\ns-down-time\n" << down;
    text << "\nconfig-epoch\n" << epoch << "\ndown-after-milliseconds\n5000\n";
    Write("answers/" + sentinel + " sentinel master main", text.str());
  }
  void AllSay(const std::string& master, const std::string& flags = "master", int down = 0) const {
    for (const char* sentinel : {"s0", "s1", "s2"}) Says(sentinel, master, 3, flags, down);
  }
  void HoldsData() const {
    std::filesystem::create_directories(folder_ / "data" / "appendonlydir");
    Write("data/holds-data", "");
  }
  // Ends when the script does; what it said is in said_.
  void Execute(const std::string& script, const std::string& pod, const std::string& arguments) {
    const auto in = [&](const char* name) { return "='" + (folder_ / name).string() + "' "; };
    std::string command =
        "env -i PATH='" + (folder_ / "bin").string() + "':/usr/bin:/bin POD_IP=10.0.0.1 " +
        "POD_NAMESPACE=prod MASTER_NAME=main REDIS_PORT=6379 SENTINEL_PORT=26379 QUORUM=2 POD_NAME=" + pod +
        " CONFIG_DIR" + in("config") + "CREDENTIALS_DIR" + in("credentials") + "DATA_DIR" + in("data") + "RUN_DIR" +
        in("run") + "TLS_DIR" + in("config") + "ANSWERS" + in("answers");
    command += "sh '" + (folder_ / "config" / script).string() + "' " + arguments + " >'" +
               (folder_ / "said").string() + "' 2>&1";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status)) << status;
    said_ = Read("said");
  }
  // The configuration that the server was started with; "" when it was not.
  std::string Run(const std::string& script, const std::string& pod = "demo-cache-0") {
    std::filesystem::remove(folder_ / "answers" / "started");
    Execute(script, pod, "");
    return Read("answers/started");
  }

  std::filesystem::path folder_;
  std::string said_;

 private:
  // ... -h HOST -p PORT ... --user USER COMMAND..., or -s SOCKET ... for the server of the pod itself.
  static constexpr char kCli[] = R"(#!/bin/sh
host=self
while [ "$1" != --user ]; do
  [ "$1" = -h ] && host=$2
  shift
done
shift 2
echo "$host $*" >>"$ANSWERS/asked"
if [ "$1" = config ]; then echo OK; exit; fi
cat "$ANSWERS/$host $*" 2>/dev/null
)";
  // What it was started with, once everybody beside it has had time for a question.
  static constexpr char kServer[] = "#!/bin/sh\ncat \"$1\" >\"$ANSWERS/started\"\n";
  static constexpr char kSleep[] = R"(#!/bin/sh
if [ -d "$ANSWERS/later" ]; then
  mv "$ANSWERS"/later/* "$ANSWERS/"
  rmdir "$ANSWERS/later"
elif [ -s "$ANSWERS/looks" ]; then
  truncate --size=-1 "$ANSWERS/looks"
else
  kill -TERM "$PPID"
fi
)";
};

}  // namespace holdfast::resources
