// follow.sh beside a real server: the users and passwords that the credentials name are those that the server lets in
// and logs in with, while a connection of before goes on.
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "tests/waiting/eventually.h"

namespace holdfast::resources {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RedisFollowTest : public ::testing::Test {
 protected:
  RedisFollowTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "holdfast-follow-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
    std::filesystem::create_directories(folder_ / "credentials");
    std::ofstream(folder_ / "follow.sh") << FollowScripts().at("follow.sh").get<std::string>();
    Credentials({{"app"}, {"replica"}, {"sentinel"}, {"keeper"}});
    Shell("cd " + folder_.string() + " && redis-server --port 0 --unixsocket socket --aclfile " + Path("credentials/") +
          "users.acl --save '' --daemonize yes --pidfile server --logfile log");
    // It has left its socket behind as soon as it listens.
    EXPECT_TRUE(Eventually([&] { return Ask("probe", "any", "ping") == "PONG\n"; })) << Read("log");
    Shell("env CREDENTIALS_DIR=" + Path("credentials") + " MASTER_NAME=main sh " + Path("follow.sh") + " replica " +
          Read("server", 1) + " keeper users.acl -s " + Path("socket") + " >" + Path("said") + " 2>&1 & echo $! >" +
          Path("follower"));
  }
  ~RedisFollowTest() override {
    kill(std::stoi(Read("server")), SIGKILL);
    const pid_t follower = std::stoi(Read("follower"));
    EXPECT_TRUE(Eventually([&] { return kill(follower, 0) != 0; })) << "it ends with its server";
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  // Without so many characters at its end.
  std::string Read(const std::string& name, std::size_t without = 0) const {
    std::ifstream file(folder_ / name);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    text.resize(text.size() - std::min(without, text.size()));
    return text;
  }
  static void Shell(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }
  // As the kubelet does: each file at once.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", folder_ / "credentials" / name);
  }
  // What a Secret with these passwords holds; returns the mark.
  std::string Credentials(const RedisPasswords& passwords) const {
    Write(kKeeperPassword, passwords.keeper.in_use);
    Write(kReplicationPassword, passwords.replication.in_use);
    const std::string users = RedisUsersWithSentinels(passwords);
    Write(kRedisUsersFile, users);
    return FollowedMark(users);
  }
  // What redis-cli prints.
  std::string Ask(const std::string& user, const std::string& password, const std::string& words) const {
    const std::string command = "REDISCLI_AUTH=" + password + " timeout 5 redis-cli -e -s " + Path("socket") +
                                " --user " + user + " " + words + " 2>/dev/null";
    std::string text;
    FILE* output = popen(command.c_str(), "r");
    if (output == nullptr) return "";
    for (int c = 0; (c = std::fgetc(output)) != EOF;) text += static_cast<char>(c);
    pclose(output);
    return text;
  }
  bool LetsIn(const std::string& user, const std::string& password) const {
    return Ask(user, password, "ping") == "PONG\n";
  }
  bool Shows(const std::string& keeper, const std::string& mark) const {
    return ("\n" + Ask("keeper", keeper, "acl users")).find("\n" + mark + "\n") != std::string::npos;
  }

  std::filesystem::path folder_;
};

TEST_F(RedisFollowTest, PasswordsComeAndGoAndNoConnectionEnds) {
  // Says PONG at its end, by the connection of its beginning.
  const std::string said = Path("connection");
  Shell("{ printf 'auth holdfast app\\n'; until [ -e " + Path("enough") +
        " ]; do sleep 0.05; done; printf 'ping\\n'; } | " + "redis-cli -s " + Path("socket") + " >" + said + " 2>&1 &");
  EXPECT_TRUE(Eventually([&] { return Read("connection") == "OK\n"; })) << Read("connection");

  const std::string admitted =
      Credentials({{"app", "app2"}, {"replica", "replica2"}, {"sentinel", "sentinel2"}, {"keeper", "keeper2"}});
  EXPECT_TRUE(Eventually([&] { return Shows("keeper", admitted); })) << Read("said");
  for (const char* user : {"replicator", "sentinel"}) {
    const std::string word = user == std::string("sentinel") ? "sentinel" : "replica";
    EXPECT_TRUE(LetsIn(user, word) && LetsIn(user, word + "2")) << user;
    EXPECT_FALSE(LetsIn(user, word + "3")) << user;
  }
  EXPECT_TRUE(LetsIn("keeper", "keeper2"));

  const std::string switched =
      Credentials({{"app2", "app"}, {"replica2", "replica"}, {"sentinel2", "sentinel"}, {"keeper2", "keeper"}});
  EXPECT_NE(switched, admitted);
  EXPECT_TRUE(Eventually([&] { return Shows("keeper", switched); })) << Read("said");
  EXPECT_THAT(Ask("holdfast", "app", "config get masterauth"), HasSubstr("replica2"));
  EXPECT_TRUE(Eventually([&] { return !Shows("keeper", admitted); })) << "one mark at a time";

  const std::string retired = Credentials({{"app2"}, {"replica2"}, {"sentinel2"}, {"keeper2"}});
  EXPECT_TRUE(Eventually([&] { return Shows("keeper2", retired); })) << Read("said");
  EXPECT_FALSE(LetsIn("keeper", "keeper"));
  EXPECT_FALSE(LetsIn("replicator", "replica"));
  EXPECT_TRUE(LetsIn("replicator", "replica2"));
  std::ofstream(folder_ / "enough").flush();
  EXPECT_TRUE(Eventually([&] { return Read("connection").ends_with("PONG\n"); })) << Read("connection");
  EXPECT_THAT(Read("said"), Not(HasSubstr("keeper2")));
}

// A Secret that was lost has other passwords all at once: the server is told with the one it still knows.
TEST_F(RedisFollowTest, CredentialsThatWereMadeAnewAreFollowed) {
  EXPECT_TRUE(Eventually([&] { return Read("said").find("goes by") != std::string::npos; })) << Read("said");
  const std::string anew = Credentials({{"other"}, {"another"}, {"third"}, {"fourth"}});
  EXPECT_TRUE(Eventually([&] { return Shows("fourth", anew); })) << Read("said");
  EXPECT_FALSE(LetsIn("keeper", "keeper"));
}

// The control: without a change of the file nobody is told anything.
TEST_F(RedisFollowTest, WhatAServerWasToldByOthersStaysUntilTheFileChanges) {
  EXPECT_TRUE(Eventually([&] { return Read("said").find("goes by") != std::string::npos; })) << Read("said");
  ASSERT_EQ(Ask("keeper", "keeper", "acl setuser stranger on nopass"), "OK\n");
  EXPECT_FALSE(LetsIn("keeper", "keeper2"));
  EXPECT_THAT(Ask("keeper", "keeper", "acl users"), HasSubstr("stranger"));
}

}  // namespace
}  // namespace holdfast::resources
