#include "service/api/query_string.h"

namespace holdfast::api {
namespace {

constexpr std::string_view kKnown[] = {"prefix", "limit"};

TEST(QueryStringTest, DecodesOnceAndLeavesPlusAlone) {
  const auto query = Query::Parse("prefix=a%2Fb+c%2541&limit=5", kKnown);
  ASSERT_TRUE(query.ok());
  EXPECT_EQ(*query->Find("prefix"), "a/b+c%41");
  EXPECT_EQ(*query->Find("limit"), "5");
}

TEST(QueryStringTest, ValuesMayBeEmpty) {
  for (const char* text : {"prefix", "prefix=", "&prefix=&", "%70refix="}) {
    const auto query = Query::Parse(text, kKnown);
    ASSERT_TRUE(query.ok()) << text;
    EXPECT_EQ(*query->Find("prefix"), "") << text;
    EXPECT_EQ(query->Find("limit"), nullptr) << text;
  }
  EXPECT_EQ(*Query::Parse("prefix=a=b", kKnown)->Find("prefix"), "a=b");
}

TEST(QueryStringTest, RefusesByName) {
  const std::pair<const char*, const char*> rows[] = {
      {"perfix=a", "did you mean \"prefix\"?"},
      {"prefix=a&prefix=b", "\"prefix\" is given twice"},
      {"prefix=%4", "\"prefix\""},
      {"%ff=1", "not valid"},
      {"=1", "unknown query parameter \"\""},
      {"prefix=a;limit=5&x=1", "\"x\""},
  };
  for (const auto& [text, expected] : rows) {
    const auto query = Query::Parse(text, kKnown);
    ASSERT_FALSE(query.ok()) << text;
    EXPECT_THAT(query.error().message(), testing::HasSubstr(expected)) << text;
  }
}

}  // namespace
}  // namespace holdfast::api
