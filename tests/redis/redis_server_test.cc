#include "tests/redis/redis_server.h"

#include <gtest/gtest.h>

#include <csignal>

namespace holdfast::redis_servers {
namespace {

std::unique_ptr<RedisServer> MustStart(const ServerOptions& options = {}) {
  auto server = RedisServer::Start(options);
  EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().message());
  return server.ok() ? std::move(*server) : nullptr;
}

std::string Ask(const RedisServer& server, const std::vector<std::string>& words) {
  const Result<std::string> answer = server.Cli(words);
  return answer.ok() ? *answer : answer.error().ToString();
}

TEST(RedisServer, redis_ServesAndForgetsWithoutAof) {
  const auto server = MustStart();
  ASSERT_TRUE(server);
  EXPECT_EQ(Ask(*server, {"SET", "a", "1"}), "OK");
  server->Kill();
  EXPECT_FALSE(server->Running());
  ASSERT_TRUE(server->StartAgain().ok());
  EXPECT_EQ(Ask(*server, {"EXISTS", "a"}), "0");
}

TEST(RedisServer, redis_KeepsItsDataWithAofOverKillNine) {
  ServerOptions options;
  options.append_only = true;
  const auto server = MustStart(options);
  ASSERT_TRUE(server);
  const std::uint16_t port = server->port();
  EXPECT_EQ(Ask(*server, {"SET", "a", "1"}), "OK");
  server->Kill();
  ASSERT_TRUE(server->StartAgain().ok());
  EXPECT_EQ(server->port(), port);
  EXPECT_EQ(Ask(*server, {"GET", "a"}), "1");
  ASSERT_TRUE(server->Stop().ok());
  ASSERT_TRUE(server->EmptyData().ok());
  ASSERT_TRUE(server->StartAgain().ok());
  EXPECT_EQ(Ask(*server, {"EXISTS", "a"}), "0");
}

TEST(RedisServer, redis_ReplicaFollows) {
  const auto master = MustStart();
  ASSERT_TRUE(master);
  EXPECT_EQ(Ask(*master, {"SET", "a", "1"}), "OK");
  ServerOptions options;
  options.replica_of = master->port();
  const auto replica = MustStart(options);
  ASSERT_TRUE(replica);
  const Status in_step = replica->AwaitReplica();
  ASSERT_TRUE(in_step.ok()) << in_step.error().message();
  EXPECT_EQ(Ask(*replica, {"GET", "a"}), "1");
}

TEST(RedisServer, redis_AclTurnsStrangersAway) {
  ServerOptions options;
  options.acl = true;
  const auto server = MustStart(options);
  ASSERT_TRUE(server);
  EXPECT_EQ(Ask(*server, {"ACL", "WHOAMI"}), kUser);
  EXPECT_NE(Ask(*server, {"ACL", "LIST"}).find("user default off"), std::string::npos);
}

TEST(RedisServer, redis_IsGoneWithTheObject) {
  auto server = MustStart();
  ASSERT_TRUE(server);
  const pid_t pid = server->pid();
  server->Freeze();
  server.reset();
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace holdfast::redis_servers
