#include "service/json/json_value.h"

namespace holdfast::json {
namespace {

using namespace std::string_literals;

TEST(JsonValueTest, RoundTrips) {
  for (const char* text : {"null", "true", R"("a")", "[]", "{}", "[1,-2,3.5,1e300]", R"({"b":1,"a":[{"c":null}]})",
                           R"("\"\\\n\u0001\u007f")", "9223372036854775807", "-9223372036854775808",
                           "18446744073709551615", "123456789012345678901234567890"}) {
    const auto json = ParseJson(text);
    ASSERT_TRUE(json.ok()) << text << ": " << json.error().message();
    EXPECT_EQ(json->ToText(), text);
  }
}

TEST(JsonValueTest, IntegersThatFit) {
  EXPECT_EQ(ParseJson("9223372036854775807")->kind, JsonValue::Kind::kInteger);
  EXPECT_EQ(ParseJson("-9223372036854775808")->kind, JsonValue::Kind::kInteger);
  EXPECT_EQ(ParseJson("9223372036854775808")->kind, JsonValue::Kind::kNumber);
  EXPECT_EQ(ParseJson("1.0")->kind, JsonValue::Kind::kNumber);
}

TEST(JsonValueTest, Refuses) {
  const std::pair<std::string, std::string> rows[] = {
      {"", "byte"},
      {" ", "byte"},
      {"{", "byte"},
      {"{}{}", "byte"},
      {"[1,]", "byte"},
      {"{\"a\":1,}", "byte"},
      {"{a:1}", "byte"},
      {"'a'", "byte"},
      {"NaN", "byte"},
      {"Infinity", "byte"},
      {"-Infinity", "byte"},
      {"01", "byte"},
      {"+1", "byte"},
      {"1e999", "out of range"},
      {"\"\xff\"", "UTF-8"},
      {"\"\xed\xa0\x80\"", "UTF-8"},
      {R"("\ud800")", "byte"},
      {"\"a\nb\"", "byte"},
      {"\"a\0b\""s, "byte"},
      {"// comment\n1", "byte"},
      {R"({"a":1,"a":2})", "\"a\" stands twice"},
      {R"({"a":{"b":1,"b":1}})", "\"b\" stands twice"},
      {R"({"a":1,"\u0061":2})", "\"a\" stands twice"},
  };
  for (const auto& [text, expected] : rows) {
    const auto json = ParseJson(text);
    ASSERT_FALSE(json.ok()) << text;
    EXPECT_EQ(json.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(json.error().message(), testing::HasSubstr(expected)) << text;
  }
}

// Found by tests/fuzz/json_value.cc: a NUL was taken for the end, and what stood behind it was not read.
TEST(JsonValueTest, NulIsRefusedWhereverItStands) {
  using namespace std::string_literals;
  for (const std::string& text : {"{}\0"s, "{}\0{}"s, "\0{}"s, "[1,\0 2]"s, "\"a\0b\""s, "{\"a\":1\0}"s}) {
    const auto json = ParseJson(text);
    ASSERT_FALSE(json.ok()) << testing::PrintToString(text);
    EXPECT_THAT(json.error().message(), testing::HasSubstr("at byte " + std::to_string(text.find('\0') + 1)));
  }
  EXPECT_TRUE(ParseJson("\"\\u0000\"").ok());
}

TEST(JsonValueTest, DuplicatesAmongManyMembers) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  EXPECT_TRUE(ParseJson(text + "\"last\":0}").ok());
  for (const int again : {0, 15, 16, 17, 999}) {
    EXPECT_FALSE(ParseJson(text + "\"k" + std::to_string(again) + "\":0}").ok()) << again;
  }
}

TEST(JsonValueTest, ManyValuesInFewBytesAreRefused) {
  const auto list = [](std::size_t values) {
    std::string text = "[";
    for (std::size_t i = 0; i < values; ++i) text += i == 0 ? "[]" : ",[]";
    return text + "]";
  };
  const JsonLimits limits{64, 100};
  EXPECT_TRUE(ParseJson(list(99), limits).ok());  // the list itself is one
  const auto refused = ParseJson(list(100), limits);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("100 values"));
}

TEST(JsonValueTest, DepthIsLimited) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(64)).ok());
  const auto refused = ParseJson(nested(65));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), testing::HasSubstr("64"));
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')).ok());
}

}  // namespace
}  // namespace holdfast::json
