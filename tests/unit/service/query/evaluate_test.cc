#include "service/query/evaluate.h"

namespace holdfast::query {
namespace {

bool MatchesText(std::string_view filter, std::string_view document) {
  const auto parsed = ParseFilter(filter);
  const auto json = json::ParseJson(document);
  EXPECT_TRUE(parsed.ok()) << filter << ": " << (parsed.ok() ? "" : parsed.error().message());
  EXPECT_TRUE(json.ok()) << document;
  return parsed.ok() && json.ok() && Matches(*parsed, *json);
}

TEST(EvaluateTest, EveryOperator) {
  constexpr std::string_view kDocument =
      R"({"n":5,"d":2.5,"s":"b","t":true,"z":null,"list":["eu",7,null],"o":{"x":{"y":"deep"}},"a.b":1})";
  const std::pair<std::string_view, bool> rows[] = {
      {"n = 5", true},
      {"n = 5.0", true},
      {"n != 5", false},
      {"n != 6", true},
      {"n < 5", false},
      {"n < 5.5", true},
      {"n <= 5", true},
      {"n > 4.5", true},
      {"n >= 6", false},
      {"d >= 2", true},
      {"d = 2.5", true},
      {R"(s > "a")", true},
      {R"(s < "a")", false},
      {R"(s <= "b")", true},
      {"t = true", true},
      {"t != false", true},
      {"z = null", true},
      {"z != null", false},
      {"n != null", true},
      {"list != null", true},
      {"o != null", true},
      {"z exists", true},
      {"o.x exists", true},
      {R"(o.x.y = "deep")", true},
      {R"("a.b" = 1)", true},
      {"a.b = 1", false},
      {R"(list has "eu")", true},
      {"list has 7.0", true},
      {"list has null", true},
      {R"(list has "us")", false},
      {R"(s has "b")", false},
      {R"(o has "x")", false},
      {R"(s in ("a", "b"))", true},
      {R"(s in ("a", "c"))", false},
      {"n in (1, 5.0)", true},
      {R"(n = 5 and s = "b" and t = true)", true},
      {R"(n = 5 and s = "c")", false},
  };
  for (const auto& [filter, expected] : rows) EXPECT_EQ(MatchesText(filter, kDocument), expected) << filter;
}

TEST(EvaluateTest, WhatIsMissingOrOfAnotherTypeSatisfiesNothing) {
  for (const char* op :
       {"= 1", "!= 1", "< 1", "<= 1", "> 1", ">= 1", "in (1, null)", "has 1", "exists", "= null", "!= null"}) {
    std::string filter = "gone ";
    filter += op;
    EXPECT_FALSE(MatchesText(filter, "{}")) << filter;
    filter = "s.deeper ";
    filter += op;
    EXPECT_FALSE(MatchesText(filter, R"({"s":"text"})")) << filter;
  }
  for (const char* document : {R"({"v":"1"})", R"({"v":true})", R"({"v":null})", R"({"v":[1]})", R"({"v":{"v":1}})"}) {
    for (const char* filter : {"v = 1", "v != 1", "v < 1", "v <= 1", "v > 1", "v >= 1", "v in (1)"}) {
      EXPECT_FALSE(MatchesText(filter, document)) << filter << " of " << document;
    }
  }
}

TEST(EvaluateTest, NumbersCompareByTheirExactValues) {
  // As doubles, 2^53 + 1 and 2^53 would be equal.
  EXPECT_FALSE(MatchesText("v = 9007199254740992.0", R"({"v":9007199254740993})"));
  EXPECT_TRUE(MatchesText("v > 9007199254740992.0", R"({"v":9007199254740993})"));
  EXPECT_TRUE(MatchesText("v < 9007199254740993", R"({"v":9007199254740992.0})"));
  EXPECT_TRUE(MatchesText("v < 9223372036854775808.0", R"({"v":9223372036854775807})"));
  EXPECT_TRUE(MatchesText("v > 9223372036854775807", R"({"v":9223372036854775808})"));
  EXPECT_TRUE(MatchesText("v = -9223372036854775808.0", R"({"v":-9223372036854775808})"));
  EXPECT_TRUE(MatchesText("v < -9223372036854775808", R"({"v":-9223372036854777000})"));
  EXPECT_TRUE(MatchesText("v < 0", R"({"v":-0.5})"));
  EXPECT_TRUE(MatchesText("v > -1", R"({"v":-0.5})"));
  EXPECT_TRUE(MatchesText("v = 0", R"({"v":-0.0})"));
  EXPECT_TRUE(MatchesText("v > 1", R"({"v":1.0000000000000002})"));
}

TEST(EvaluateTest, OrderIsAntisymmetric) {
  const std::vector<Literal> literals = {nullptr,
                                         false,
                                         true,
                                         std::int64_t{-1},
                                         std::int64_t{INT64_MAX},
                                         std::int64_t{INT64_MIN},
                                         -1.5,
                                         9223372036854775808.0,
                                         0.0,
                                         std::string("a"),
                                         std::string("b"),
                                         std::string()};
  for (const Literal& left : literals) {
    EXPECT_TRUE(Compare(left, left) == 0);
    for (const Literal& right : literals) EXPECT_TRUE(Compare(left, right) == (0 <=> Compare(right, left)));
  }
}

}  // namespace
}  // namespace holdfast::query
