#include "base/redis/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/redis/redis_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;
using redis_servers::ServerOptions;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

std::unique_ptr<RedisServer> MustStart(const ServerOptions& options = {}) {
  auto started = RedisServer::Start(options);
  EXPECT_TRUE(started.ok()) << (started.ok() ? "" : started.error().message());
  return started.ok() ? std::move(*started) : nullptr;
}

Options OptionsFor(const std::string& url) {
  Options options;
  options.target = ParseUrl(url).value();
  return options;
}

std::unique_ptr<Client> MustMake(const Options& options) {
  auto made = Client::Make(options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
  return made.ok() ? std::move(*made) : nullptr;
}

// Repeats what may fail while a server comes back.
Result<Value> Eventually(Client& client, std::initializer_list<std::string_view> words) {
  const Deadline deadline = Soon();
  while (true) {
    Result<Value> reply = client.Run(Effect::kWrite, words, deadline);
    if (reply.ok() || deadline.Expired()) return reply;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

TEST(RedisClient, redis_ThreadsShareTheConnections) {
  const auto server = MustStart();
  ASSERT_TRUE(server);
  Options options = OptionsFor(server->Url());
  options.max_connections = 3;
  options.acquire_timeout = std::chrono::seconds{30};
  const auto client = MustMake(options);
  constexpr int kThreads = 12;
  constexpr int kEach = 50;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) failures += client->Run(Effect::kWrite, {"INCR", "n"}, Soon()).ok() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(*client->Run(Effect::kRead, {"GET", "n"}, Soon()), Value::String(std::to_string(kThreads * kEach)));
  const pool::Statistics statistics = client->statistics();
  EXPECT_LE(statistics.opened, 3u);
  EXPECT_EQ(statistics.max, 3u);
  EXPECT_EQ(statistics.acquired, static_cast<std::uint64_t>(kThreads * kEach) + 1);
}

TEST(RedisClient, redis_EveryConnectionIsSeenBeforeItIsUsedAndARefusedOneIsNot) {
  const auto server = MustStart();
  ASSERT_TRUE(server);
  std::atomic<int> seen{0};
  std::atomic<bool> refuses{false};
  const auto made = Client::Make(OptionsFor(server->Url()), [&](Connection& connection, Deadline deadline) -> Status {
    ++seen;
    HOLDFAST_RETURN_IF_ERROR(AsStatus(connection.Run(Effect::kRead, {"PING"}, deadline), "PING"));
    if (refuses) return Error(ErrorCode::kUnavailable, "not this one");
    return {};
  });
  ASSERT_TRUE(made.ok());
  Client& client = **made;
  ASSERT_TRUE(client.Run(Effect::kWrite, {"INCR", "n"}, Soon()).ok());
  EXPECT_GT(seen, 0);
  refuses = true;
  ASSERT_TRUE(server->Cli({"CLIENT", "KILL", "TYPE", "normal"}).ok());
  const Result<Value> refused = client.Run(Effect::kWrite, {"INCR", "n"}, Soon());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("not this one"), std::string::npos) << refused.error().message();
  refuses = false;
  EXPECT_EQ(*Eventually(client, {"INCR", "n"}), Value::Integer(2));
}

TEST(RedisClient, redis_ARestartIsNotNoticedByTheNextCall) {
  ServerOptions server_options;
  server_options.append_only = true;
  const auto server = MustStart(server_options);
  ASSERT_TRUE(server);
  const auto client = MustMake(OptionsFor(server->Url()));
  ASSERT_TRUE(client->Run(Effect::kWrite, {"SET", "a", "1"}, Soon()).ok());
  server->Kill();
  ASSERT_TRUE(server->StartAgain().ok());
  const Result<Value> reply = Eventually(*client, {"GET", "a"});
  ASSERT_TRUE(reply.ok()) << reply.error().message();
  EXPECT_EQ(*reply, Value::String("1"));
}

TEST(RedisClient, redis_WithoutAServerCallsSayWhere) {
  auto server = MustStart();
  ASSERT_TRUE(server);
  const Options options = OptionsFor(server->Url());
  server->Kill();
  const auto client = MustMake(options);
  const Result<Value> reply = client->Run(Effect::kWrite, {"SET", "a", "1"}, Soon());
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(reply.error().message().find("127.0.0.1:" + std::to_string(server->port())), std::string::npos);
  ASSERT_TRUE(server->StartAgain().ok());
  EXPECT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
}

TEST(RedisClient, redis_WritesToAReplicaAreRefusedAndReadsAreNot) {
  const auto master = MustStart();
  ASSERT_TRUE(master);
  ServerOptions replica_options;
  replica_options.replica_of = master->port();
  const auto replica = MustStart(replica_options);
  ASSERT_TRUE(replica);
  ASSERT_TRUE(replica->AwaitReplica().ok());
  const auto client = MustMake(OptionsFor(replica->Url()));
  const Result<Value> write = client->Run(Effect::kWrite, {"SET", "a", "1"}, Soon());
  ASSERT_FALSE(write.ok());
  EXPECT_EQ(write.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(write.error().message().find("READONLY"), std::string::npos);
  EXPECT_TRUE(client->Run(Effect::kRead, {"GET", "a"}, Soon()).ok());
  // Once it is promoted the same client writes.
  ASSERT_TRUE(replica->Cli({"REPLICAOF", "NO", "ONE"}).ok());
  EXPECT_TRUE(Eventually(*client, {"SET", "a", "1"}).ok());
}

TEST(RedisClient, redis_ClosingIsPromptAndFinal) {
  const auto server = MustStart();
  ASSERT_TRUE(server);
  Options options = OptionsFor(server->Url());
  options.connect_timeout = std::chrono::minutes{10};
  server->Freeze();
  // Its opener waits for the frozen server.
  const auto client = MustMake(options);
  client->Close();
  EXPECT_EQ(client->Run(Effect::kRead, {"PING"}, Soon()).error().message(), "the redis client is closed");
  server->Thaw();
}

TEST(RedisClient, ContradictingOptionsAreRefused) {
  const auto refusal = [](const Options& options) {
    const auto made = Client::Make(options);
    return made.ok() ? std::string("accepted") : made.error().message();
  };
  EXPECT_NE(refusal(Options()).find("no address"), std::string::npos);
  Options options = OptionsFor("redis://cache");
  options.role = Role::kReplica;
  EXPECT_NE(refusal(options).find("sentinels only"), std::string::npos);
  options = OptionsFor("redis://cache");
  options.min_connections = 9;
  EXPECT_NE(refusal(options).find("maximum"), std::string::npos);
  options = OptionsFor("rediss://cache");
  options.tls.certificate = "/a.pem";
  EXPECT_NE(refusal(options).find("needs its key"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::redis
