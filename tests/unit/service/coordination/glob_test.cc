#include "service/coordination/glob.h"

#include <gtest/gtest.h>

namespace holdfast::coordination {
namespace {

TEST(GlobTest, Matches) {
  EXPECT_TRUE(MatchesGlob("", ""));
  EXPECT_TRUE(MatchesGlob("*", ""));
  EXPECT_TRUE(MatchesGlob("*", "a.b/c"));
  EXPECT_TRUE(MatchesGlob("news.*", "news."));
  EXPECT_TRUE(MatchesGlob("news.*.eu", "news.a.b.eu"));
  EXPECT_TRUE(MatchesGlob("?", "a"));
  EXPECT_TRUE(MatchesGlob("a?c", "abc"));
  EXPECT_TRUE(MatchesGlob("*a*b", "xxaxbxb"));
  EXPECT_TRUE(MatchesGlob("a**b", "ab"));
  EXPECT_TRUE(MatchesGlob("\\*", "*"));
  EXPECT_TRUE(MatchesGlob("a\\?", "a?"));
  EXPECT_TRUE(MatchesGlob("a\\", "a\\"));
  EXPECT_TRUE(MatchesGlob("[a]", "[a]"));
}

TEST(GlobTest, DoesNotMatch) {
  EXPECT_FALSE(MatchesGlob("", "a"));
  EXPECT_FALSE(MatchesGlob("a", ""));
  EXPECT_FALSE(MatchesGlob("?", ""));
  EXPECT_FALSE(MatchesGlob("?", "ab"));
  EXPECT_FALSE(MatchesGlob("news.*", "news"));
  EXPECT_FALSE(MatchesGlob("*a", "ab"));
  EXPECT_FALSE(MatchesGlob("\\*", "a"));
  EXPECT_FALSE(MatchesGlob("a\\?", "ab"));
  EXPECT_FALSE(MatchesGlob("[a]", "a"));
}

// Exponential with a matcher that goes back to every star.
TEST(GlobTest, AHostilePatternEnds) {
  std::string pattern;
  for (int i = 0; i < 250; ++i) pattern.append("a*");
  EXPECT_FALSE(MatchesGlob(pattern + "b", std::string(500, 'a')));
}

}  // namespace
}  // namespace holdfast::coordination
