#include <gtest/gtest.h>

#include "base/redis/client.h"
#include "tests/redis/redis_server.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;
using redis_servers::ServerOptions;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

class RedisScript : public testing::Test {
 protected:
  void SetUp() override {
    auto started = RedisServer::Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = std::move(*started);
    options_.target = ParseUrl(server_->Url()).value();
    auto opened = Connection::Open(options_.target.addresses.front(), options_, Connection::Expect::kNothing, Soon());
    ASSERT_TRUE(opened.ok());
    connection_ = std::move(*opened);
  }

  // How often the server was asked to do `command`.
  std::string Calls(const std::string& command) const {
    const std::string stats = server_->Cli({"INFO", "commandstats"}).value();
    const std::size_t found = stats.find("cmdstat_" + command + ":calls=");
    if (found == std::string::npos) return "0";
    const std::size_t begin = stats.find('=', found) + 1;
    return stats.substr(begin, stats.find(',', begin) - begin);
  }

  std::unique_ptr<RedisServer> server_;
  Options options_;
  std::unique_ptr<Connection> connection_;
  const Script append_{"append", "return redis.call('APPEND', KEYS[1], ARGV[1])"};
  const Script read_{"read", "return redis.call('GET', KEYS[1])"};
};

TEST_F(RedisScript, redis_HashIsTheServers) {
  EXPECT_EQ(append_.sha1(), server_->Cli({"SCRIPT", "LOAD", append_.text()}).value());
}

TEST_F(RedisScript, redis_IsSentOnceAndCalledByItsHash) {
  for (int i = 0; i < 5; ++i) {
    Pipeline pipeline;
    pipeline.Call(Effect::kWrite, append_, {"key"}, {"x"}).Call(Effect::kRead, read_, {"key"}, {});
    const Replies replies = connection_->Run(pipeline, Soon());
    ASSERT_TRUE(replies[0].ok()) << replies[0].error().message();
    EXPECT_EQ(*replies[0], Value::Integer(i + 1));
    EXPECT_EQ(replies[1]->text(), std::string(static_cast<std::size_t>(i + 1), 'x'));
  }
  EXPECT_EQ(Calls("script|load"), "2");
  EXPECT_EQ(Calls("evalsha"), "10");
  EXPECT_EQ(Calls("eval"), "0");
}

TEST_F(RedisScript, redis_IsLoadedAgainWhenTheServerForgotIt) {
  Pipeline warm;
  warm.Call(Effect::kWrite, append_, {"key"}, {"a"});
  ASSERT_TRUE(connection_->Run(warm, Soon())[0].ok());
  ASSERT_TRUE(server_->Cli({"SCRIPT", "FLUSH"}).ok());

  Pipeline pipeline;
  pipeline.Add(Effect::kRead, {"PING"})
      .Call(Effect::kWrite, append_, {"key"}, {"b"})
      .Add(Effect::kRead, {"ECHO", "between"})
      .Call(Effect::kWrite, append_, {"key"}, {"c"});
  const Replies replies = connection_->Run(pipeline, Soon());
  EXPECT_EQ(*replies[0], Value::StatusLine("PONG"));
  ASSERT_TRUE(replies[1].ok()) << replies[1].error().message();
  EXPECT_EQ(*replies[1], Value::Integer(2));
  EXPECT_EQ(*replies[2], Value::String("between"));
  EXPECT_EQ(*replies[3], Value::Integer(3));
  EXPECT_EQ(server_->Cli({"GET", "key"}).value(), "abc");
}

TEST_F(RedisScript, redis_AScriptThatDoesNotCompileSaysSo) {
  const Script broken("broken", "return (");
  Pipeline pipeline;
  pipeline.Call(Effect::kWrite, broken, {}, {}).Add(Effect::kRead, {"PING"});
  const Replies replies = connection_->Run(pipeline, Soon());
  ASSERT_FALSE(replies[0].ok());
  EXPECT_EQ(replies[0].error().code(), ErrorCode::kInternal);
  EXPECT_NE(replies[0].error().message().find("loading the script broken"), std::string::npos)
      << replies[0].error().message();
  EXPECT_TRUE(replies[1].ok());
  EXPECT_TRUE(connection_->usable());
}

TEST_F(RedisScript, redis_RefusalsWithinAScriptKeepTheirWord) {
  ASSERT_TRUE(server_->Cli({"CONFIG", "SET", "maxmemory", "1"}).ok());
  Pipeline pipeline;
  pipeline.Call(Effect::kWrite, append_, {"key"}, {"a"});
  const Replies replies = connection_->Run(pipeline, Soon());
  ASSERT_FALSE(replies[0].ok());
  EXPECT_EQ(replies[0].error().code(), ErrorCode::kResourceExhausted) << replies[0].error().message();
}

TEST_F(RedisScript, redis_ArgumentsAreBytes) {
  const std::string strange("a\r\n\0'b", 6);
  const Script echo("echo", "return {KEYS[1], ARGV[1], #ARGV}");
  Pipeline pipeline;
  pipeline.Call(Effect::kRead, echo, {strange}, {strange, ""});
  const Replies replies = connection_->Run(pipeline, Soon());
  ASSERT_TRUE(replies[0].ok());
  EXPECT_EQ(*replies[0], Value::Array({Value::String(strange), Value::String(strange), Value::Integer(2)}));
}

}  // namespace
}  // namespace holdfast::redis
