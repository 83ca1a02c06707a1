#include "service/api/operation_fields.h"

namespace holdfast::api {
namespace {

using storage::Expiry;
using storage::Precondition;

TEST(OperationFieldsTest, IfMatch) {
  EXPECT_EQ(ParseIfMatch("*")->kind, Precondition::Kind::kPresent);
  EXPECT_EQ(ParseIfMatch("\"7\"")->version, 7u);
  EXPECT_EQ(ParseIfMatch(" \"7\" ")->version, 7u);
  EXPECT_EQ(ParseIfMatch("\"18446744073709551615\"")->version, UINT64_MAX);
  for (const char* foreign :
       {"\"\"", "\"0\"", "\"07\"", "\"+7\"", "\"-7\"", "\"7a\"", "\"abc\"", "\"18446744073709551616\""}) {
    const auto parsed = ParseIfMatch(foreign);
    ASSERT_TRUE(parsed.ok()) << foreign;
    EXPECT_EQ(parsed->kind, Precondition::Kind::kVersion) << foreign;
    EXPECT_EQ(parsed->version, UINT64_MAX) << foreign;
  }
  for (const char* refused :
       {"", "7", "W/\"7\"", "\"7\", \"8\"", "\"7\",*", "\"7", "7\"", "\"7\"8\"", "\"7 8\"", "**"}) {
    EXPECT_FALSE(ParseIfMatch(refused).ok()) << refused;
  }
}

TEST(OperationFieldsTest, IfNoneMatch) {
  EXPECT_EQ(ParseIfNoneMatchOnWrite("*")->kind, Precondition::Kind::kAbsent);
  EXPECT_FALSE(ParseIfNoneMatchOnWrite("\"7\"").ok());
  EXPECT_TRUE(*MatchesIfNoneMatch("*", 7));
  EXPECT_TRUE(*MatchesIfNoneMatch("\"7\"", 7));
  EXPECT_TRUE(*MatchesIfNoneMatch("W/\"7\"", 7));
  EXPECT_TRUE(*MatchesIfNoneMatch("\"6\" , \"7\"", 7));
  EXPECT_FALSE(*MatchesIfNoneMatch("\"6\", \"8\"", 7));
  EXPECT_FALSE(*MatchesIfNoneMatch("\"x\"", 7));
  for (const char* refused : {"", "7", "\"7\",", "\"7\" \"8\"", "w/\"7\""}) {
    EXPECT_FALSE(MatchesIfNoneMatch(refused, 7).ok()) << refused;
  }
}

TEST(OperationFieldsTest, Ttl) {
  const std::pair<const char*, std::chrono::microseconds> rows[] = {{"90", std::chrono::seconds{90}},
                                                                    {"1.5", std::chrono::milliseconds{1500}},
                                                                    {"30s", std::chrono::seconds{30}},
                                                                    {"5m", std::chrono::minutes{5}},
                                                                    {"1h", std::chrono::hours{1}}};
  for (const auto& [text, expected] : rows) {
    const auto parsed = ParseTtl(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->kind, Expiry::Kind::kAfter);
    EXPECT_EQ(parsed->after, expected) << text;
  }
  EXPECT_EQ(ParseTtl("keep")->kind, Expiry::Kind::kKeep);
  EXPECT_EQ(ParseTtl("none")->kind, Expiry::Kind::kNever);
  for (const char* refused : {"", "0", "0s", "-1", "-5m", "abc", "1x", "1 h", "Keep", "1e3", "0.0000001", "inf", "nan",
                              "99999999999999999999"}) {
    EXPECT_FALSE(ParseTtl(refused).ok()) << refused;
  }
}

TEST(OperationFieldsTest, Tags) {
  EXPECT_EQ(*ParseTags("a"), (std::vector<std::string>{"a"}));
  EXPECT_EQ(*ParseTags(" a ,\tb c"), (std::vector<std::string>{"a", "b c"}));
  for (const char* refused : {"", ",", "a,", "a,,b", "a\x01", "\xff"}) EXPECT_FALSE(ParseTags(refused).ok()) << refused;
}

TEST(OperationFieldsTest, MetadataIsOneObject) {
  EXPECT_TRUE(CheckMetadata(R"({"source":"kafka"})").ok());
  for (const char* refused : {"", "[]", "1", "{\"a\":1,\"a\":2}", "{", "{\"a\":\"\xff\"}"}) {
    EXPECT_FALSE(CheckMetadata(refused).ok()) << refused;
  }
}

TEST(OperationFieldsTest, ContentTypeCannotCarryAHeader) {
  EXPECT_TRUE(CheckContentType("text/plain; charset=utf-8").ok());
  for (const char* refused : {"a\r\nSet-Cookie: x", "a\n", "\x7f", "é", " text/plain"}) {
    EXPECT_FALSE(CheckContentType(refused).ok()) << refused;
  }
}

}  // namespace
}  // namespace holdfast::api
