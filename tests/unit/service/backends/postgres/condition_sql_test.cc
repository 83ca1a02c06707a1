#include "service/backends/postgres/condition_sql.h"

#include <gmock/gmock.h>

#include "service/query/entry_filter.h"

namespace holdfast::storage::postgres {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

ConditionSql SqlOf(const std::string& text, int first = 1) {
  return MakeConditionSql(*query::EntryFilter::Make(query::ParseFilter(text).value()).value().conditions(), first);
}

TEST(ConditionSqlTest, TextDependsOnTheShapeAlone) {
  const std::pair<std::string, std::string> alike[] = {
      {R"(metadata.a = "x")", R"(metadata."'); DROP TABLE entries; --".b.c = 1.5)"},
      {R"(metadata.a in (1))", R"(metadata."\u0000" in (null, true, "\u0000", "$1"))"},
      {R"(metadata.a > "x")", R"(metadata."%s{}" > "' OR '1'='1")"},
      {R"(metadata.a != 1)", R"(metadata."\\" != 1e308)"},
      {R"(tags has "eu")", R"(tags has "$$")"},
      {R"(key = "a")", R"(key = "\\x41")"},
      {R"(size > 1 and content_type = "a")", R"(size > -0.5 and content_type = "''")"},
      {R"(created_at < "2026-11-21T01:02:03Z")", R"(created_at < "1970-01-01T00:00:00Z")"},
  };
  for (const auto& [one, other] : alike) EXPECT_EQ(SqlOf(one).text, SqlOf(other).text);
}

TEST(ConditionSqlTest, ParametersAreNumberedFromTheFirst) {
  const ConditionSql sql = SqlOf(R"(key >= "k" and metadata.n > 5)", 7);
  EXPECT_EQ(sql.text,
            "e.key >= $7::bytea AND ((jsonb_typeof(e.attributes #> $8::text[]) = $9::text AND (e.attributes #> "
            "$8::text[]) > $10::text::jsonb) OR e.attributes @> '{\"unclear\":true}'::jsonb)");
  ASSERT_EQ(sql.parameters.size(), 4u);
  EXPECT_EQ(sql.parameters[0].str(), "k");
  EXPECT_EQ(sql.parameters[2].str(), "number");
  EXPECT_EQ(sql.parameters[3].str(), "5");
}

TEST(ConditionSqlTest, WhatAnIndexServes) {
  for (const char* text : {"metadata.a = 1", "metadata.a in (1)", "metadata.a has 1", R"(tags has "a")", R"(key = "a")",
                           R"(key in ("a"))", "size > 1 and metadata.a = null"}) {
    EXPECT_TRUE(SqlOf(text).indexed) << text;
  }
  for (const char* text : {"metadata.a > 1", "metadata.a != 1", "metadata.a exists", "tags exists", R"(key > "a")",
                           "size = 1", "key exists", R"(content_type = "a")"}) {
    EXPECT_FALSE(SqlOf(text).indexed) << text;
  }
}

// The server would name it in an error, which its log holds.
TEST(ConditionSqlTest, NulReachesNoTextOfTheServer) {
  for (const char* text : {R"(metadata.a = "\u0000")", R"(metadata."\u0000" = 1)", R"(metadata.a != "x\u0000")",
                           R"(metadata."\u0000" > 1)", R"(metadata."\u0000" exists)", R"(tags has "\u0000")"}) {
    for (const auto& parameter : SqlOf(text).parameters)
      EXPECT_THAT(parameter.str(), Not(HasSubstr("\\u0000"))) << text;
  }
}

}  // namespace
}  // namespace holdfast::storage::postgres
