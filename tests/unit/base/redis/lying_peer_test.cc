#include <gtest/gtest.h>

#include "base/redis/connection.h"
#include "tests/unit/base/redis/scripted_peer.h"

namespace holdfast::redis {
namespace {

using Talk = ScriptedPeer::Talk;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{30});
}

Result<std::unique_ptr<Connection>> OpenTo(const ScriptedPeer& peer, Options options = {}) {
  return Connection::Open(peer.address(), options, Connection::Expect::kNothing, Soon());
}

// Lets the client in, and then waits for a command.
void Greet(const Talk& talk) {
  talk.HearUntil("PING");
  talk.Say("+PONG\r\n");
  talk.HearUntil("GET");
}

TEST(RedisLyingPeer, AWebServerIsNoRedis) {
  const ScriptedPeer peer([](const Talk& talk) { talk.Say("HTTP/1.1 400 Bad Request\r\n\r\n"); });
  const auto opened = OpenTo(peer);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(opened.error().message().find("does not speak the Redis protocol"), std::string::npos);
}

TEST(RedisLyingPeer, GarbageInPlaceOfAnAnswerEndsTheConnection) {
  const ScriptedPeer peer([](const Talk& talk) {
    Greet(talk);
    talk.Say("+fine\r\n\x01garbage");
    talk.Hear();
  });
  auto opened = OpenTo(peer);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  Pipeline pipeline;
  pipeline.Add(Effect::kRead, {"GET", "a"}).Add(Effect::kRead, {"GET", "b"}).Add(Effect::kWrite, {"SET", "c", "1"});
  const Replies replies = (*opened)->Run(pipeline, Soon());
  EXPECT_EQ(*replies[0], Value::StatusLine("fine"));
  EXPECT_EQ(replies[1].error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(replies[2].error().code(), ErrorCode::kOutcomeUnknown);
  EXPECT_FALSE((*opened)->usable());
}

TEST(RedisLyingPeer, AnEndlessAnswerIsBounded) {
  const ScriptedPeer peer([](const Talk& talk) {
    Greet(talk);
    talk.Say("$500000000\r\n");
    const std::string portion(65'536, 'x');
    while (talk.Say(portion)) {
    }
  });
  Options options;
  options.max_reply_bytes = std::size_t{1} << 20;
  auto opened = OpenTo(peer, options);
  ASSERT_TRUE(opened.ok());
  const Result<Value> reply = (*opened)->Run(Effect::kRead, {"GET", "a"}, Soon());
  ASSERT_FALSE(reply.ok());
  EXPECT_NE(reply.error().message().find("max_reply_bytes"), std::string::npos) << reply.error().message();
}

TEST(RedisLyingPeer, AnAnswerThatComesByteByByteIsOne) {
  const ScriptedPeer peer([](const Talk& talk) {
    Greet(talk);
    for (const char c : std::string_view("*2\r\n$3\r\na\r\n\r\n:-5\r\n")) talk.Say(std::string_view(&c, 1));
    talk.Hear();
  });
  auto opened = OpenTo(peer);
  ASSERT_TRUE(opened.ok());
  const Result<Value> reply = (*opened)->Run(Effect::kRead, {"GET", "a"}, Soon());
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(*reply, Value::Array({Value::String("a\r\n"), Value::Integer(-5)}));
}

TEST(RedisLyingPeer, AnAnswerNobodyAskedForIsNotTakenForTheNext) {
  const ScriptedPeer peer([](const Talk& talk) {
    Greet(talk);
    talk.Say("+mine\r\n+somebody else's\r\n");
    talk.Hear();
  });
  auto opened = OpenTo(peer);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(*(*opened)->Run(Effect::kRead, {"GET", "a"}, Soon()), Value::StatusLine("mine"));
  EXPECT_TRUE((*opened)->HungUp());
  const Result<Value> next = (*opened)->Run(Effect::kWrite, {"SET", "a", "1"}, Soon());
  ASSERT_FALSE(next.ok());
  EXPECT_EQ(next.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(next.error().message().find("nobody asked for"), std::string::npos);
}

TEST(RedisLyingPeer, HalfAnAnswerAndTheEnd) {
  const ScriptedPeer peer([](const Talk& talk) {
    Greet(talk);
    talk.Say("$100\r\nhalf");
  });
  auto opened = OpenTo(peer);
  ASSERT_TRUE(opened.ok());
  Pipeline pipeline;
  pipeline.Add(Effect::kWrite, {"GETSET", "a", "1"});
  EXPECT_EQ((*opened)->Run(pipeline, Soon())[0].error().code(), ErrorCode::kOutcomeUnknown);
}

TEST(RedisLyingPeer, ASilentPeerCostsNoMoreThanConnectTimeout) {
  const ScriptedPeer peer([](const Talk& talk) {
    while (!talk.Hear().empty()) {
    }
  });
  Options options;
  options.connect_timeout = std::chrono::milliseconds{100};
  const auto opened = OpenTo(peer, options);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message().find("connect_timeout of 100 ms"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::redis
