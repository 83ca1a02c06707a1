#include <gtest/gtest.h>

#include <thread>

#include "base/redis/client.h"
#include "tests/redis/redis_server.h"

namespace holdfast::redis {
namespace {

using redis_servers::RedisServer;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

class RedisSubscription : public testing::Test {
 protected:
  void SetUp() override {
    auto started = RedisServer::Start();
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = std::move(*started);
    Options options;
    options.target = ParseUrl(server_->Url()).value();
    auto made = Client::Make(options);
    ASSERT_TRUE(made.ok());
    client_ = std::move(*made);
    options.read_timeout = std::chrono::milliseconds{20};  // must not end a wait
    auto impatient = Client::Make(options);
    ASSERT_TRUE(impatient.ok());
    auto opened = (*impatient)->OpenDedicated(Soon(), &interrupt_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    listening_ = std::move(*opened);
  }

  void Send(std::initializer_list<std::string_view> words) {
    Pipeline pipeline;
    pipeline.Add(Effect::kRead, words);
    ASSERT_TRUE(listening_->Send(pipeline, Soon()).ok());
  }

  Interrupt interrupt_;
  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Connection> listening_;
};

TEST_F(RedisSubscription, redis_MessagesComeAsTheyArePublished) {
  Send({"SUBSCRIBE", "news"});
  EXPECT_EQ(*listening_->Receive(Soon()),
            Value::Array({Value::String("subscribe"), Value::String("news"), Value::Integer(1)}));
  const Result<Value> early = listening_->Receive(Deadline::After(std::chrono::milliseconds{20}));
  EXPECT_EQ(early.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_TRUE(listening_->usable());
  for (const std::string& text : {std::string("one"), std::string("t\r\n\0o", 5)}) {
    ASSERT_TRUE(client_->Run(Effect::kWrite, {"PUBLISH", "news", text}, Soon()).ok());
    EXPECT_EQ(*listening_->Receive(Soon()),
              Value::Array({Value::String("message"), Value::String("news"), Value::String(text)}));
  }
}

TEST_F(RedisSubscription, redis_ABlockedReadOutlastsReadTimeout) {
  Send({"XREAD", "BLOCK", "0", "STREAMS", "changes", "$"});
  const Result<Value> early = listening_->Receive(Deadline::After(std::chrono::milliseconds{100}));
  EXPECT_EQ(early.error().code(), ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(client_->Run(Effect::kWrite, {"XADD", "changes", "7-1", "key", "a"}, Soon()).ok());
  const Result<Value> entry = listening_->Receive(Soon());
  ASSERT_TRUE(entry.ok()) << entry.error().message();
  const Value fields = Value::Array({Value::String("key"), Value::String("a")});
  EXPECT_EQ(*entry, Value::Array({Value::Array(
                        {Value::String("changes"), Value::Array({Value::Array({Value::String("7-1"), fields})})})}));
  // And it may be used again.
  Send({"ECHO", "x"});
  EXPECT_EQ(*listening_->Receive(Soon()), Value::String("x"));
}

TEST_F(RedisSubscription, redis_AnInterruptEndsTheWait) {
  Send({"XREAD", "BLOCK", "0", "STREAMS", "changes", "$"});
  std::thread stopper([this] { interrupt_.Trigger(); });
  const Result<Value> ended = listening_->Receive(Deadline::Infinite());
  stopper.join();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code(), ErrorCode::kCancelled);
  EXPECT_FALSE(listening_->usable());
  // For good, also for those opened later.
  const auto again = client_->OpenDedicated(Soon(), &interrupt_);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code(), ErrorCode::kCancelled);
}

TEST_F(RedisSubscription, redis_TheEndOfTheServerEndsTheWait) {
  Send({"SUBSCRIBE", "news"});
  ASSERT_TRUE(listening_->Receive(Soon()).ok());
  server_->Kill();
  const Result<Value> ended = listening_->Receive(Soon());
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code(), ErrorCode::kUnavailable);
  EXPECT_FALSE(listening_->usable());
}

}  // namespace
}  // namespace holdfast::redis
