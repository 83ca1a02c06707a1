#include "base/redis/reply.h"

#include <gtest/gtest.h>

namespace holdfast::redis {
namespace {

TEST(RedisReply, ServerWordsBecomeCodes) {
  const struct {
    const char* line;
    ErrorCode code;
  } cases[] = {
      {"LOADING Redis is loading the dataset in memory", ErrorCode::kUnavailable},
      {"READONLY You can't write against a read only replica.", ErrorCode::kUnavailable},
      {"MASTERDOWN Link with MASTER is down", ErrorCode::kUnavailable},
      {"UNBLOCKED force unblock from blocking operation, instance state changed", ErrorCode::kUnavailable},
      {"NOREPLICAS Not enough good replicas to write.", ErrorCode::kUnavailable},
      {"OOM command not allowed when used memory > 'maxmemory'.", ErrorCode::kResourceExhausted},
      {"BUSY Redis is busy running a script.", ErrorCode::kUnavailable},
      {"BUSYGROUP Consumer Group name already exists", ErrorCode::kAlreadyExists},
      {"NOAUTH Authentication required.", ErrorCode::kUnavailable},
      {"WRONGPASS invalid username-password pair or user is disabled.", ErrorCode::kUnavailable},
      {"NOPERM this user has no permissions to run the 'get' command", ErrorCode::kFailedPrecondition},
      {"MOVED 3999 127.0.0.1:6381", ErrorCode::kNotSupported},
      {"ASK 3999 127.0.0.1:6381", ErrorCode::kNotSupported},
      {"CROSSSLOT Keys in request don't hash to the same slot", ErrorCode::kNotSupported},
      {"CLUSTERDOWN Hash slot not served", ErrorCode::kUnavailable},
      {"TRYAGAIN Multiple keys request during rehashing of slot", ErrorCode::kUnavailable},
      {"MISCONF Redis is configured to save RDB snapshots", ErrorCode::kUnavailable},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", ErrorCode::kFailedPrecondition},
      {"NOSCRIPT No matching script.", ErrorCode::kUnavailable},
      {"ERR max number of clients reached", ErrorCode::kUnavailable},
      {"ERR DB index is out of range", ErrorCode::kInvalidArgument},
      {"ERR unknown command 'NOPE', with args beginning with: 'x' ", ErrorCode::kNotSupported},
      {"ERR something else", ErrorCode::kInternal},
      {"", ErrorCode::kInternal},
  };
  for (const auto& each : cases) EXPECT_EQ(ToError(each.line).code(), each.code) << each.line;
}

TEST(RedisReply, AClusterIsNamedAsWhatItIs) {
  EXPECT_NE(ToError("MOVED 1 a:1").message().find("Redis Cluster"), std::string::npos);
  EXPECT_NE(ToError("MOVED 1 a:1").message().find("redis+cluster://"), std::string::npos);
  EXPECT_EQ(ToError("MOVED 1 a:1", true).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(ToError("ASK 1 a:1", true).code(), ErrorCode::kUnavailable);
}

TEST(RedisReply, MessagesHoldNoArgumentsAndNoControlCharacters) {
  const std::string quoted = ToError("ERR unknown command 'X', with args beginning with: 'hunter2' ").message();
  EXPECT_EQ(quoted.find("hunter2"), std::string::npos);
  const std::string strange = ToError("ERR a\r\nb\x1b[31m\xff").message();
  EXPECT_EQ(strange.find_first_of("\r\n\x1b\xff"), std::string::npos) << strange;
  EXPECT_LT(ToError("ERR " + std::string(100'000, 'x')).message().size(), 400u);
}

TEST(RedisReply, ErrorWordIsTheFirstInCapitals) {
  EXPECT_EQ(ErrorWord("OOM command"), "OOM");
  EXPECT_EQ(ErrorWord("NOSCRIPT"), "NOSCRIPT");
  EXPECT_EQ(ErrorWord("no capitals"), "ERR");
  EXPECT_EQ(ErrorWord(""), "ERR");
}

TEST(RedisReply, UnexpectedTypesAreErrorsWithBothNames) {
  const Result<std::int64_t> number = AsInteger(Value::String("1"), "INCR");
  ASSERT_FALSE(number.ok());
  EXPECT_EQ(number.error().message(), "INCR: Redis answered with string where integer was expected");
  EXPECT_EQ(*AsInteger(Value::Integer(-7), "x"), -7);
  EXPECT_EQ(*AsString(Value::String(std::string("a\0b", 3)), "x"), std::string("a\0b", 3));
  EXPECT_FALSE(AsOptionalString(Value(), "x")->has_value());
  EXPECT_EQ(AsArray(Value::Array({Value()}), "x")->size(), 1u);
  EXPECT_TRUE(AsStatus(Value::StatusLine("OK"), "x").ok());
  EXPECT_EQ(AsArray(Value::ErrorLine("OOM no"), "x").error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(AsString(Error(ErrorCode::kFenced, "f"), "x").error().code(), ErrorCode::kFenced);
}

}  // namespace
}  // namespace holdfast::redis
