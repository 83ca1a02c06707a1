#include "base/redis/connection.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/redis/redis_server.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;
using redis_servers::ServerOptions;
using Expect = Connection::Expect;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

Options OptionsFor(const std::string& url) {
  Options options;
  options.target = ParseUrl(url).value();
  return options;
}

Result<std::unique_ptr<Connection>> OpenTo(const Options& options, Expect expect = Expect::kNothing) {
  return Connection::Open(options.target.addresses.front(), options, expect, Soon());
}

class RedisConnection : public testing::Test {
 protected:
  void SetUp() override {
    auto started = RedisServer::Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = std::move(*started);
    auto opened = OpenTo(OptionsFor(server_->Url()));
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    connection_ = std::move(*opened);
  }

  Result<Value> Ask(std::initializer_list<std::string_view> words) {
    return connection_->Run(Effect::kWrite, words, Soon());
  }

  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(RedisConnection, redis_BytesComeBackAsTheyWere) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const std::string& value : {std::string(), std::string("\r\n"), std::string("$3\r\nfoo\r\n"), all}) {
    ASSERT_TRUE(Ask({"SET", all, value}).ok());
    const Result<Value> read = Ask({"GET", all});
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, Value::String(value));
  }
  EXPECT_EQ(*Ask({"GET", "absent"}), Value());
}

TEST_F(RedisConnection, redis_LineBreaksInArgumentsAreInert) {
  const std::string attack = "x\r\nFLUSHALL\r\n*1\r\n$8\r\nFLUSHALL\r\n";
  ASSERT_TRUE(Ask({"SET", "kept", "1"}).ok());
  ASSERT_TRUE(Ask({"SET", attack, attack}).ok());
  EXPECT_FALSE(Ask({attack}).ok());
  EXPECT_EQ(*Ask({"PUBLISH", attack, attack}), Value::Integer(0));
  EXPECT_EQ(*Ask({"DBSIZE"}), Value::Integer(2));
  EXPECT_TRUE(connection_->usable());
}

TEST_F(RedisConnection, redis_SixteenMebibytesGoAndCome) {
  std::string large(std::size_t{16} << 20, 'x');
  for (std::size_t i = 0; i < large.size(); i += 4'099) large[i] = static_cast<char>(i);
  ASSERT_TRUE(Ask({"SET", "large", large}).ok());
  Pipeline pipeline;
  pipeline.Add(Effect::kRead, {"GET", "large"}).Add(Effect::kRead, {"STRLEN", "large"});
  Replies replies = connection_->Run(pipeline, Soon());
  ASSERT_TRUE(replies[0].ok());
  EXPECT_TRUE(replies[0]->text() == large);
  EXPECT_EQ(*replies[1], Value::Integer(16'777'216));
}

TEST_F(RedisConnection, redis_APipelineAnswersEachCommandInItsPlace) {
  Pipeline pipeline;
  constexpr int kCommands = 5'000;
  for (int i = 0; i < kCommands; ++i) {
    const std::string number = std::to_string(i);
    if (i % 2 == 0) {
      pipeline.Add(Effect::kWrite, {"RPUSH", "list", number});
    } else {
      pipeline.Add(Effect::kWrite, {"INCR", "list"});  // of the wrong type
    }
  }
  const Replies replies = connection_->Run(pipeline, Soon());
  ASSERT_EQ(replies.size(), static_cast<std::size_t>(kCommands));
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (i % 2 == 0) {
      ASSERT_TRUE(replies[i].ok());
      ASSERT_EQ(*replies[i], Value::Integer(static_cast<std::int64_t>(i / 2 + 1)));
    } else {
      ASSERT_FALSE(replies[i].ok());
      ASSERT_EQ(replies[i].error().code(), ErrorCode::kFailedPrecondition);
    }
  }
  EXPECT_TRUE(connection_->usable());
  EXPECT_FALSE(connection_->HungUp());
}

TEST_F(RedisConnection, redis_NestedArraysAndErrorsWithinThem) {
  const Result<Value> reply =
      Ask({"EVAL", "return {1, {'a', {}, false}, redis.error_reply('OOM inside'), redis.status_reply('fine')}", "0"});
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(*reply, Value::Array({Value::Integer(1), Value::Array({Value::String("a"), Value::Array({}), Value()}),
                                  Value::ErrorLine("OOM inside"), Value::StatusLine("fine")}));
}

TEST_F(RedisConnection, redis_SelectsTheDatabaseOfTheUrl) {
  ASSERT_TRUE(Ask({"SET", "a", "1"}).ok());
  auto other = OpenTo(OptionsFor(server_->Url(3)));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(*(*other)->Run(Effect::kRead, {"EXISTS", "a"}, Soon()), Value::Integer(0));
  const auto none = OpenTo(OptionsFor(server_->Url(60'000)));
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(none.error().message().find("databases"), std::string::npos);
}

TEST_F(RedisConnection, redis_GoesThroughAUnixSocket) {
  auto local = OpenTo(OptionsFor(server_->SocketUrl(2)));
  ASSERT_TRUE(local.ok()) << local.error().message();
  ASSERT_TRUE((*local)->Run(Effect::kWrite, {"SET", "here", "1"}, Soon()).ok());
  ASSERT_TRUE(Ask({"SELECT", "2"}).ok());
  EXPECT_EQ(*Ask({"GET", "here"}), Value::String("1"));
  const auto absent = OpenTo(OptionsFor("unix:///nowhere/redis.sock"));
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(absent.error().message().find("unix:/nowhere/redis.sock"), std::string::npos);
}

TEST_F(RedisConnection, redis_AFrozenServerMakesWritesUnknownAndReadsUnavailable) {
  Options options = OptionsFor(server_->Url());
  options.read_timeout = std::chrono::seconds{1};  // also of opening it
  auto opened = OpenTo(options);
  ASSERT_TRUE(opened.ok());
  Pipeline pipeline;
  pipeline.Add(Effect::kRead, {"GET", "a"}).Add(Effect::kWrite, {"SET", "a", "1"});
  server_->Freeze();
  const Replies replies = (*opened)->Run(pipeline, Soon());
  EXPECT_EQ(replies[0].error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(replies[0].error().message().find("read_timeout of 1000 ms"), std::string::npos);
  EXPECT_EQ(replies[1].error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_FALSE((*opened)->usable());
  // Nothing more is sent: its answer would be taken for the next one's.
  EXPECT_EQ((*opened)->Run(Effect::kWrite, {"SET", "b", "1"}, Soon()).error().code(), ErrorCode::kUnavailable);

  const Result<Value> late =
      connection_->Run(Effect::kRead, {"GET", "a"}, Deadline::After(std::chrono::milliseconds{50}));
  EXPECT_EQ(late.error().code(), ErrorCode::kDeadlineExceeded);

  options.connect_timeout = std::chrono::milliseconds{100};
  const auto refused = OpenTo(options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message().find("connect_timeout of 100 ms"), std::string::npos);
  server_->Thaw();
}

TEST_F(RedisConnection, redis_AServerThatTakesNothingIsGivenUp) {
  Options options = OptionsFor(server_->Url());
  options.write_timeout = std::chrono::milliseconds{150};
  auto opened = OpenTo(options);
  ASSERT_TRUE(opened.ok());
  const std::string large(std::size_t{64} << 20, 'x');  // more than all buffers between
  Pipeline pipeline;
  pipeline.Add(Effect::kWrite, {"SET", "small", "1"}).Add(Effect::kWrite, {"SET", "large", large});
  server_->Freeze();
  const Replies replies = (*opened)->Run(pipeline, Soon());
  server_->Thaw();
  EXPECT_EQ(replies[0].error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(replies[1].error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(replies[1].error().message().find("write_timeout of 150 ms"), std::string::npos);
  EXPECT_NE(replies[1].error().message().find("was not sent"), std::string::npos);
}

TEST_F(RedisConnection, redis_APassedDeadlineSendsNothing) {
  const Result<Value> reply = connection_->Run(Effect::kWrite, {"SET", "a", "1"}, Deadline::After({}));
  EXPECT_EQ(reply.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(connection_->usable());
  EXPECT_EQ(*Ask({"EXISTS", "a"}), Value::Integer(0));
}

TEST_F(RedisConnection, redis_AKilledServerMakesWritesUnknown) {
  server_->Kill();
  EXPECT_TRUE(connection_->HungUp());
  const Result<Value> reply = Ask({"SET", "a", "1"});
  ASSERT_FALSE(reply.ok());
  // Whether the kernel took the bytes before it heard of the end is its affair.
  EXPECT_TRUE(reply.error().code() == ErrorCode::kOutcomeUnknown || reply.error().code() == ErrorCode::kUnavailable);
  EXPECT_FALSE(connection_->usable());
  const auto refused = OpenTo(OptionsFor(server_->Url()));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
}

TEST_F(RedisConnection, redis_MaxmemoryIsResourceExhausted) {
  ASSERT_TRUE(Ask({"CONFIG", "SET", "maxmemory", "1"}).ok());
  const Result<Value> reply = Ask({"SET", "a", "1"});
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(connection_->usable());
}

TEST_F(RedisConnection, redis_AReplicaTakesNoWritesAndIsNotTheMaster) {
  ServerOptions replica_options;
  replica_options.replica_of = server_->port();
  auto replica = RedisServer::Start(replica_options);
  ASSERT_TRUE(replica.ok());
  ASSERT_TRUE((*replica)->AwaitReplica().ok());
  auto opened = OpenTo(OptionsFor((*replica)->Url()));
  ASSERT_TRUE(opened.ok());
  const Result<Value> write = (*opened)->Run(Effect::kWrite, {"SET", "a", "1"}, Soon());
  EXPECT_EQ(write.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE((*opened)->misdirected());
  EXPECT_FALSE((*opened)->usable());

  const auto as_master = OpenTo(OptionsFor((*replica)->Url()), Expect::kMaster);
  ASSERT_FALSE(as_master.ok());
  EXPECT_NE(as_master.error().message().find("is not the master: it calls itself replica"), std::string::npos);
  EXPECT_TRUE(OpenTo(OptionsFor((*replica)->Url()), Expect::kReplica).ok());
  EXPECT_TRUE(OpenTo(OptionsFor(server_->Url()), Expect::kMaster).ok());
  EXPECT_FALSE(OpenTo(OptionsFor(server_->Url()), Expect::kReplica).ok());
}

TEST(RedisLogin, redis_OnlyTheRightPasswordGetsIn) {
  ServerOptions server_options;
  server_options.acl = true;
  auto server = RedisServer::Start(server_options);
  ASSERT_TRUE(server.ok());
  Options options = OptionsFor((*server)->Url());
  EXPECT_TRUE(OpenTo(options).ok());

  options.target.password = "hunter2";
  const auto wrong = OpenTo(options);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(wrong.error().message().find("check user and password"), std::string::npos);
  EXPECT_EQ(wrong.error().message().find("hunter2"), std::string::npos);

  options.target.user.clear();
  options.target.password.clear();
  const auto nobody = OpenTo(options);
  ASSERT_FALSE(nobody.ok());
  EXPECT_NE(nobody.error().message().find("asks for a login"), std::string::npos);
}

TEST(RedisLogin, redis_ThePasswordFileIsReadAtEveryConnect) {
  ServerOptions server_options;
  server_options.acl = true;
  auto server = RedisServer::Start(server_options);
  ASSERT_TRUE(server.ok());
  Options options = OptionsFor((*server)->Url());
  options.target.password = "old";
  const auto sandbox = postgres_servers::Sandbox::Make();
  ASSERT_TRUE(sandbox.ok());
  options.password_file = (*sandbox)->Write("password", std::string(redis_servers::kPassword) + "\nsecond line\n");
  EXPECT_TRUE(OpenTo(options).ok());
  (*sandbox)->Write("password", "\n");
  const auto empty = OpenTo(options);
  ASSERT_FALSE(empty.ok());
  EXPECT_EQ(empty.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(empty.error().message().find("password_file"), std::string::npos);
}

TEST(RedisCluster, redis_ANodeOfAClusterThatWasNotNamedAsOneSaysSo) {
  ServerOptions server_options;
  server_options.parameters = {{"cluster-enabled", "yes"}};
  auto server = RedisServer::Start(server_options);
  ASSERT_TRUE(server.ok()) << server.error().message();
  ASSERT_TRUE((*server)->Cli({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}).ok());
  auto opened = OpenTo(OptionsFor((*server)->Url()));
  ASSERT_TRUE(opened.ok());
  const Result<Value> crossed = (*opened)->Run(Effect::kWrite, {"MSET", "a", "1", "b", "2"}, Soon());
  ASSERT_FALSE(crossed.ok());
  EXPECT_EQ(crossed.error().code(), ErrorCode::kNotSupported);
  EXPECT_NE(crossed.error().message().find("{hash tag}"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::redis
