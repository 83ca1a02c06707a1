#include "service/query/filter.h"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

namespace holdfast::query {
namespace {

Filter Parsed(std::string_view text) {
  auto filter = ParseFilter(text);
  EXPECT_TRUE(filter.ok()) << text << ": " << (filter.ok() ? "" : filter.error().message());
  return filter.ok() ? std::move(filter).value() : Filter{};
}

TEST(FilterTest, TheExampleOfTheContract) {
  const Filter filter = Parsed(R"(metadata.source = "kafka" and metadata.partition >= 5 and tags has "eu")");
  ASSERT_EQ(filter.comparisons.size(), 3u);
  EXPECT_EQ(filter.comparisons[0].path, (std::vector<std::string>{"metadata", "source"}));
  EXPECT_EQ(filter.comparisons[0].op, Operator::kEqual);
  EXPECT_EQ(std::get<std::string>(filter.comparisons[0].literals.at(0)), "kafka");
  EXPECT_EQ(filter.comparisons[1].op, Operator::kGreaterOrEqual);
  EXPECT_EQ(std::get<std::int64_t>(filter.comparisons[1].literals.at(0)), 5);
  EXPECT_EQ(filter.comparisons[2].path, std::vector<std::string>{"tags"});
  EXPECT_EQ(filter.comparisons[2].op, Operator::kHas);
  EXPECT_EQ(filter.comparisons[2].position, 59u);
}

TEST(FilterTest, EveryOperatorAndLiteralReadsBackInOneSpelling) {
  const std::pair<std::string, std::string> rows[] = {
      {"a=1", "a = 1"},
      {"a != -1", "a != -1"},
      {"a<2.50", "a < 2.5"},
      {"a <= 1e3", "a <= 1000.0"},
      {"a > 9223372036854775807", "a > 9223372036854775807"},
      {"a >= -9223372036854775808", "a >= -9223372036854775808"},
      {"\ta\nin(\"x\",2 , null,true)", "a in (\"x\", 2, null, true)"},
      {"a in [\"x\", 2]", "a in (\"x\", 2)"},
      {R"(a has "x")", R"(a has "x")"},
      {"a.b-c._d exists", "a.b-c._d exists"},
      {R"("a" = false)", "a = false"},
      {R"("a.b"."2x" = "\u00e9\n")", "\"a.b\".\"2x\" = \"é\\n\""},
      {R"("" = 1)", R"("" = 1)"},
      {"and = 1 and in in (1) and exists exists", "and = 1 and in in (1) and exists exists"},
      {"a = -0.0", "a = -0.0"},
      {"a = 1e-999", "a = 0.0"},
  };
  for (const auto& [text, canonical] : rows) {
    EXPECT_EQ(ToText(Parsed(text)), canonical);
    EXPECT_EQ(ToText(Parsed(canonical)), canonical);
  }
}

TEST(FilterTest, SqlStaysAString) {
  const std::string hostile = "'; DROP TABLE entries; -- % _ \\";
  std::string text = "metadata.x = \"'; DROP TABLE entries; -- % _ ";
  text += "\\\\\"";
  EXPECT_EQ(std::get<std::string>(Parsed(text).comparisons.at(0).literals.at(0)), hostile);
}

TEST(FilterTest, RefusalsNamePlaceAndRemedy) {
  const std::tuple<std::string, std::string, std::string> rows[] = {
      {"", "at byte 1:", "a path"},
      {"   ", "at byte 4:", "a path"},
      {"a", "at byte 2:", "an operator"},
      {"a =", "at byte 4:", "a value"},
      {"a = b", "at byte 5:", "a string in double quotes"},
      {"a == 1", "at byte 3:", "write ="},
      {"a <> 1", "at byte 3:", "write !="},
      {"a = 'x'", "at byte 5:", "double quotes"},
      {"a = \"x", "at byte 5:", "close it"},
      {"a = \"x\\\"", "at byte 5:", "close it"},
      {"a = \"\\q\"", "at byte 5:", "as in JSON"},
      {"a = \"\\ud800\"", "at byte 5:", "as in JSON"},
      {"a = 01", "at byte 5:", "not a number"},
      {"a = 1x", "at byte 5:", "not a number"},
      {"a = -", "at byte 5:", "not a number"},
      {"a = 1.", "at byte 5:", "not a number"},
      {"a = 1e999", "at byte 5:", "not a number"},
      {"a = NaN", "at byte 5:", "a value"},
      {"a = 9223372036854775808", "at byte 5:", "64 signed bits"},
      {"a = -9223372036854775809", "at byte 5:", "64 signed bits"},
      {"a = 1 or b = 2", "at byte 7:", "and"},
      {"a = 1 AND b = 2", "at byte 7:", "and"},
      {"a = 1 and", "at byte 10:", "a path"},
      {"a = 1 b = 2", "at byte 7:", "and"},
      {"a. = 1", "at byte 4:", "a path"},
      {".a = 1", "at byte 1:", "a path"},
      {"a in 1", "at byte 6:", "parentheses"},
      {"a in ()", "at byte 7:", "a value"},
      {"a in (1", "at byte 8:", "\")\""},
      {"a in (1,)", "at byte 9:", "a value"},
      {"a in [1)", "at byte 8:", "\"]\""},
      {"a in (1]", "at byte 8:", "\")\""},
      {"a < null", "at byte 5:", "orders numbers and strings"},
      {"a >= true", "at byte 6:", "orders numbers and strings"},
      {"a like \"x\"", "at byte 3:", "an operator"},
      {"a = 1;", "at byte 6:", "no meaning"},
      {"(a = 1)", "at byte 1:", "a path"},
      {"a exists = 1", "at byte 10:", "and"},
      {std::string("a = 1\0", 6), "at byte 6:", "no meaning"},
  };
  for (const auto& [text, place, remedy] : rows) {
    const auto filter = ParseFilter(text);
    ASSERT_FALSE(filter.ok()) << text;
    EXPECT_EQ(filter.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_TRUE(filter.error().message().find(place) != std::string::npos) << text << ": " << filter.error().message();
    EXPECT_TRUE(filter.error().message().find(remedy) != std::string::npos) << text << ": " << filter.error().message();
  }
  EXPECT_TRUE(ParseFilter("a = \"\xff\"").error().message().find("UTF-8") != std::string::npos);
  EXPECT_TRUE(ParseFilter("a = \"\xc0\xaf\"").error().message().find("UTF-8") != std::string::npos);
}

TEST(FilterTest, LimitsHoldAndAreNamed) {
  const auto joined = [](std::string_view item, std::string_view joint, std::size_t count) {
    std::string text(item);
    for (std::size_t i = 1; i < count; ++i) text.append(joint).append(item);
    return text;
  };
  const auto list = [&](std::size_t count) { return fmt::format("a in ({})", joined("1", ",", count)); };
  const FilterLimits limits;
  EXPECT_TRUE(ParseFilter(joined("a=1", " and ", limits.max_comparisons)).ok());
  EXPECT_TRUE(ParseFilter(joined("a=1", " and ", limits.max_comparisons + 1)).error().message().find("32") !=
              std::string::npos);
  EXPECT_TRUE(ParseFilter(joined("a", ".", limits.max_path_segments) + " exists").ok());
  EXPECT_TRUE(ParseFilter(joined("a", ".", limits.max_path_segments + 1) + " exists").error().message().find("16") !=
              std::string::npos);
  EXPECT_TRUE(ParseFilter(list(limits.max_literals)).ok());
  EXPECT_TRUE(ParseFilter(list(limits.max_literals + 1)).error().message().find("1000") != std::string::npos);
  const std::string at_limit = fmt::format("a = \"{}\"", std::string(limits.max_bytes - 6, 'x'));
  EXPECT_TRUE(ParseFilter(at_limit).ok());
  EXPECT_TRUE(ParseFilter(at_limit + " ").error().message().find("4096") != std::string::npos);
}

// Whatever is thrown at it, the parser either refuses or gives a tree whose text reads back as itself.
TEST(FilterTest, PropertyTextsReadBack) {
  const char* given = std::getenv("HOLDFAST_SEED");
  const unsigned long seed = given != nullptr ? std::strtoul(given, nullptr, 10) : 1;
  SCOPED_TRACE(fmt::format("HOLDFAST_SEED={}", seed));
  std::mt19937_64 random(seed);
  const std::string_view parts[] = {"a",
                                    ".",
                                    "\"b\"",
                                    "\"\\\"",
                                    "=",
                                    "!=",
                                    "<",
                                    "<=",
                                    ">",
                                    ">=",
                                    "in",
                                    "(",
                                    ")",
                                    ",",
                                    "has",
                                    "and",
                                    "1",
                                    "-",
                                    "2.5",
                                    "1e5",
                                    "true",
                                    "null",
                                    "\"",
                                    "\\",
                                    " ",
                                    "\n",
                                    "é",
                                    "'x'",
                                    "_",
                                    "exists",
                                    "99999999999999999999"};
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string text = i % 2 == 0 ? "a.b = 1 and x" : "";
    for (std::size_t k = random() % 8; k > 0; --k) text.append(parts[random() % std::size(parts)]);
    const auto filter = ParseFilter(text);
    if (!filter.ok()) continue;
    ++accepted;
    const std::string once = ToText(*filter);
    const auto again = ParseFilter(once);
    ASSERT_TRUE(again.ok()) << text << " -> " << once;
    EXPECT_EQ(ToText(*again), once);
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace holdfast::query
