#include "base/redis/reply_reader.h"

#include <gtest/gtest.h>

namespace holdfast::redis {
namespace {

constexpr std::size_t kBytes = std::size_t{1} << 20;
constexpr std::size_t kElements = 1'000;

std::optional<Value> NextOf(ReplyReader& reader) {
  Result<std::optional<Value>> next = reader.Next();
  EXPECT_TRUE(next.ok()) << (next.ok() ? "" : next.error().message());
  return next.ok() ? *next : std::nullopt;
}

const Value& Everything() {
  static const Value all = Value::Array(
      {Value::Integer(-9'223'372'036'854'775'807LL - 1), Value::String(std::string("a\r\n\0b", 5)), Value::String(""),
       Value(), Value::StatusLine("OK"), Value::ErrorLine("OOM inside"), Value::Array({}),
       Value::Array({Value::Array({Value::String("deep"), Value::Integer(1)}), Value::String("behind")})});
  return all;
}

// Holds a zero byte: its size is the array's.
constexpr char kEverythingBytes[] =
    "*8\r\n:-9223372036854775808\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n$-1\r\n+OK\r\n-OOM inside\r\n*0\r\n"
    "*2\r\n*2\r\n$4\r\ndeep\r\n:1\r\n$6\r\nbehind\r\n";
constexpr std::string_view kEverything{kEverythingBytes, sizeof kEverythingBytes - 1};

TEST(RedisReplyReader, ReadsEveryTypeNested) {
  ReplyReader reader(kBytes, kElements);
  ASSERT_TRUE(reader.Feed(kEverything).ok());
  EXPECT_EQ(NextOf(reader), Everything());
  EXPECT_TRUE(reader.empty());
  EXPECT_EQ(NextOf(reader), std::nullopt);
}

TEST(RedisReplyReader, SplitAnywhereGivesTheSame) {
  for (std::size_t cut = 1; cut < kEverything.size(); ++cut) {
    ReplyReader reader(kBytes, kElements);
    ASSERT_TRUE(reader.Feed(kEverything.substr(0, cut)).ok());
    EXPECT_EQ(NextOf(reader), std::nullopt) << cut;
    EXPECT_FALSE(reader.empty());
    ASSERT_TRUE(reader.Feed(kEverything.substr(cut)).ok());
    EXPECT_EQ(NextOf(reader), Everything()) << cut;
  }
}

TEST(RedisReplyReader, ByteByByteGivesTheSame) {
  ReplyReader reader(kBytes, kElements);
  for (std::size_t i = 0; i + 1 < kEverything.size(); ++i) {
    ASSERT_TRUE(reader.Feed(kEverything.substr(i, 1)).ok());
    ASSERT_EQ(NextOf(reader), std::nullopt) << i;
  }
  ASSERT_TRUE(reader.Feed(kEverything.substr(kEverything.size() - 1)).ok());
  EXPECT_EQ(NextOf(reader), Everything());
}

TEST(RedisReplyReader, SeveralInOnePortionComeInTheirOrder) {
  ReplyReader reader(kBytes, kElements);
  ASSERT_TRUE(reader.Feed(":1\r\n+two\r\n*-1\r\n$5\r\nfi").ok());
  EXPECT_EQ(NextOf(reader), Value::Integer(1));
  EXPECT_EQ(NextOf(reader), Value::StatusLine("two"));
  EXPECT_EQ(NextOf(reader), Value());
  EXPECT_EQ(NextOf(reader), std::nullopt);
  EXPECT_FALSE(reader.empty());
}

TEST(RedisReplyReader, GarbageIsAnError) {
  for (const std::string_view garbage : {"HTTP/1.1 400 Bad Request\r\n", "$abc\r\n", ":12x\r\n", "*99999999999999\r\n",
                                         "$-2\r\n", "\r\n", "\x16\x03\x01\x02"}) {
    ReplyReader reader(kBytes, kElements);
    ASSERT_TRUE(reader.Feed(garbage).ok());
    const Result<std::optional<Value>> next = reader.Next();
    ASSERT_FALSE(next.ok()) << garbage;
    EXPECT_EQ(next.error().message(), "the peer does not speak the Redis protocol");
  }
}

TEST(RedisReplyReader, AnAnnouncedArrayIsNotTrustedAboutItsSize) {
  ReplyReader reader(kBytes, kElements);
  ASSERT_TRUE(reader.Feed("*2147483647\r\n").ok());
  const Result<std::optional<Value>> next = reader.Next();
  ASSERT_FALSE(next.ok());
  EXPECT_NE(next.error().message().find("max_reply_elements is 1000"), std::string::npos) << next.error().message();
}

TEST(RedisReplyReader, NestedArraysCountTogether) {
  ReplyReader reader(kBytes, kElements);
  ASSERT_TRUE(reader.Feed("*2\r\n*900\r\n").ok());
  EXPECT_EQ(NextOf(reader), std::nullopt);
  std::string rest;
  for (int i = 0; i < 900; ++i) rest += ":1\r\n";
  ASSERT_TRUE(reader.Feed(rest + "*100\r\n").ok());
  EXPECT_FALSE(reader.Next().ok());
}

TEST(RedisReplyReader, AnEndlessReplyIsBounded) {
  ReplyReader reader(kBytes, kElements);
  ASSERT_TRUE(reader.Feed("$2000000000\r\n").ok());
  const std::string portion(16'384, 'x');
  std::size_t fed = 0;
  while (fed <= 2 * kBytes) {
    ASSERT_TRUE(reader.Feed(portion).ok());
    fed += portion.size();
    const Result<std::optional<Value>> next = reader.Next();
    if (next.ok()) continue;
    EXPECT_NE(next.error().message().find("max_reply_bytes"), std::string::npos);
    EXPECT_LE(fed, kBytes + portion.size());
    return;
  }
  FAIL() << "never refused";
}

TEST(RedisReplyReader, LimitsAreOfOneReplyAndNotOfAll) {
  ReplyReader reader(1'000, 10);
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_TRUE(reader.Feed("*9\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n").ok());
    ASSERT_TRUE(NextOf(reader)) << i;
  }
}

}  // namespace
}  // namespace holdfast::redis
