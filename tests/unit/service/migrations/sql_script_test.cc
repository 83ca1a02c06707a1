#include "service/migrations/sql_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> Texts(std::string_view sql) {
  const auto statements = SplitStatements(sql);
  if (!statements.ok()) return {statements.error().message()};
  std::vector<std::string> texts;
  for (const Statement& statement : *statements) texts.push_back(statement.text);
  return texts;
}

TEST(SplitStatements, ends_at_semicolons_and_leaves_blanks_and_comments_out) {
  EXPECT_THAT(Texts("SELECT 1; SELECT 2"), ElementsAre("SELECT 1", "SELECT 2"));
  EXPECT_THAT(Texts(" ;; \n-- nothing; here\n SELECT 1 ;/* ; */;"), ElementsAre("SELECT 1"));
  EXPECT_THAT(Texts(""), ElementsAre());
  EXPECT_THAT(Texts("-- only a comment"), ElementsAre());
  EXPECT_THAT(Texts("SELECT 1 -- the end"), ElementsAre("SELECT 1"));
}

TEST(SplitStatements, semicolons_inside_something_end_nothing) {
  EXPECT_THAT(Texts("SELECT 'a;b''c;'; SELECT 2"), ElementsAre("SELECT 'a;b''c;'", "SELECT 2"));
  EXPECT_THAT(Texts(R"(SELECT "a;""b;"; SELECT 2)"), ElementsAre(R"(SELECT "a;""b;")", "SELECT 2"));
  EXPECT_THAT(Texts(R"(SELECT E'a\';b'; SELECT 2)"), ElementsAre(R"(SELECT E'a\';b')", "SELECT 2"));
  EXPECT_THAT(Texts(R"(SELECT 'a\'; SELECT 2)"), ElementsAre(R"(SELECT 'a\')", "SELECT 2"));
  EXPECT_THAT(Texts("SELECT 1 /* ; /* ; */ ; */ + 1; SELECT 2"),
              ElementsAre("SELECT 1 /* ; /* ; */ ; */ + 1", "SELECT 2"));
  EXPECT_THAT(Texts("SELECT $$a;b$$; SELECT 2"), ElementsAre("SELECT $$a;b$$", "SELECT 2"));
  EXPECT_THAT(Texts("SELECT $f$ $$ ; $g$ ; $f$; SELECT 2"), ElementsAre("SELECT $f$ $$ ; $g$ ; $f$", "SELECT 2"));
  // Neither a parameter nor a name with a dollar begins a body.
  EXPECT_THAT(Texts("SELECT $1; SELECT a$b$; SELECT 3"), ElementsAre("SELECT $1", "SELECT a$b$", "SELECT 3"));
}

TEST(SplitStatements, knows_the_line_and_the_first_words) {
  const auto statements =
      SplitStatements("\n-- first\nSELECT\n1;\n\ncreate /* x */ index\n concurrently \"A b\" on t (a);");
  ASSERT_TRUE(statements.ok());
  EXPECT_EQ(statements->at(0).line, 3);
  EXPECT_EQ(statements->at(1).line, 6);
  EXPECT_EQ(statements->at(1).words, "CREATE INDEX CONCURRENTLY \"A b\" ON T A");
  EXPECT_EQ(statements->at(0).Summary(), "SELECT 1");
}

TEST(SplitStatements, summary_is_one_short_line) {
  const auto statements = SplitStatements("SELECT\t'" + std::string(200, 'x') + "'\n;");
  EXPECT_EQ(statements->at(0).Summary(), "SELECT '" + std::string(72, 'x') + "...");
}

TEST(SplitStatements, what_is_not_closed_is_refused_with_its_line) {
  for (const char* sql :
       {"\nSELECT 'a", "\nSELECT \"a", "\nSELECT E'a\\'", "\nSELECT $$a", "\nSELECT $x$a$$", "\n/* /* */"}) {
    EXPECT_THAT(Texts(sql), ElementsAre(testing::AllOf(HasSubstr("line 2"), HasSubstr("is not closed")))) << sql;
  }
}

}  // namespace
}  // namespace holdfast::migrations
