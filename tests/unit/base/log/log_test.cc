#include "base/log/log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

namespace holdfast::log {
namespace {

constexpr std::string_view kTime = "2026-11-21T01:02:03.000Z";

std::string JsonOf(std::string_view message, std::initializer_list<Field> fields = {}) {
  return FormatLine(Format::kJson, Level::kInfo, "holdfast", message, fields, kTime);
}

std::string HumanOf(std::string_view message, std::initializer_list<Field> fields = {}) {
  return FormatLine(Format::kHuman, Level::kWarn, "holdfast", message, fields, "01:02:03.000");
}

TEST(FormatLine, JsonGolden) {
  EXPECT_EQ(JsonOf("backend opened", {{"backend", "main"},
                                      {"entries", 12},
                                      {"durable", true},
                                      {"seconds", 0.25},
                                      {"largest", std::numeric_limits<std::uint64_t>::max()},
                                      {"least", std::numeric_limits<std::int64_t>::min()}}),
            R"({"time":"2026-11-21T01:02:03.000Z","level":"info","component":"holdfast","message":"backend opened",)"
            R"("backend":"main","entries":12,"durable":true,"seconds":0.25,"largest":18446744073709551615,)"
            R"("least":-9223372036854775808})");
}

TEST(FormatLine, HumanGolden) {
  EXPECT_EQ(HumanOf("backend opened", {{"backend", "main"}, {"entries", 12}, {"path", "a b"}, {"empty", ""}}),
            "01:02:03.000 warn  backend opened  backend=main  entries=12  path=\"a b\"  empty=\"\"");
}

TEST(FormatLine, ControlCharactersAreEscapedInBothFormats) {
  const std::string_view hostile("a\nb\r\t\"\\\x1b[2J\x7f\0z", 15);
  const std::string_view escaped = R"(a\nb\r\t\"\\\u001b[2J\u007f\u0000z)";
  EXPECT_NE(JsonOf(hostile).find(escaped), std::string::npos) << JsonOf(hostile);
  EXPECT_NE(HumanOf(hostile).find(escaped), std::string::npos) << HumanOf(hostile);
  EXPECT_EQ(nlohmann::json::parse(JsonOf(hostile))["message"], hostile);
}

TEST(FormatLine, TerminalControlsAndLineSeparatorsBeyondAsciiAreEscaped) {
  EXPECT_NE(JsonOf("\xC2\x9B\xE2\x80\xA8\xE2\x80\xA9").find(R"(\u009b\u2028\u2029)"), std::string::npos);
}

TEST(FormatLine, Utf8IsKept) {
  const std::string_view text = "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80";
  EXPECT_NE(JsonOf(text).find(text), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(JsonOf(text))["message"], text);
}

TEST(FormatLine, BytesThatAreNotUtf8AreNamed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\xFF", R"(\\xff)"},
      {"\xC3", R"(\\xc3)"},                             // cut off
      {"\xC0\xAF", R"(\\xc0\\xaf)"},                    // overlong '/'
      {"\xE0\x80\xAF", R"(\\xe0\\x80\\xaf)"},           // overlong
      {"\xED\xA0\x80", R"(\\xed\\xa0\\x80)"},           // surrogate
      {"\xF4\x90\x80\x80", R"(\\xf4\\x90\\x80\\x80)"},  // above U+10FFFF
      {"\xE2\x82z", R"(\\xe2\\x82z)"},                  // third byte missing
  };
  for (const auto& [bytes, escaped] : cases) {
    const std::string line = JsonOf(bytes);
    EXPECT_NE(line.find(escaped), std::string::npos) << line;
    EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  }
}

TEST(FormatLine, NumbersJsonCannotSpellBecomeStrings) {
  const nlohmann::json line = nlohmann::json::parse(
      JsonOf("ratio", {{"a", std::numeric_limits<double>::infinity()}, {"b", std::nan("")}, {"c", 1e300}}));
  EXPECT_EQ(line["a"], "inf");
  EXPECT_EQ(line["b"], "nan");
  EXPECT_EQ(line["c"], 1e300);
}

TEST(FormatLine, AFieldCannotReplaceTheLinesOwn) {
  const nlohmann::json line = nlohmann::json::parse(JsonOf("true message", {{"message", "forged"}, {"level", "x"}}));
  EXPECT_EQ(line["message"], "true message");
  EXPECT_EQ(line["field_message"], "forged");
  EXPECT_EQ(line["level"], "info");
}

TEST(FormatLine, AnyBytesGiveOneValidLine) {
  const char* text = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = text == nullptr ? 1 : std::stoull(text);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 256);
    const std::string line = JsonOf(bytes, {{bytes, bytes}});
    ASSERT_TRUE(nlohmann::json::accept(line)) << line;
    ASSERT_EQ(line.find('\n'), std::string::npos);
    const std::string human = HumanOf(bytes, {{bytes, bytes}});
    ASSERT_TRUE(std::none_of(human.begin(), human.end(), [](char c) { return c >= 0 && c < ' '; })) << human;
  }
}

TEST(Write, LinesOfManyThreadsAreWhole) {
  Configure({.level = Level::kInfo, .format = Format::kJson, .component = "test"});
  testing::internal::CaptureStderr();
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([writer] {
        for (int i = 0; i < 200; ++i) {
          Info("a line", {{"writer", writer}, {"padding", std::string(500, 'x')}});
          Debug("below the level");
        }
      });
    }
  }
  std::istringstream captured(testing::internal::GetCapturedStderr());
  int lines = 0;
  for (std::string line; std::getline(captured, line); ++lines) {
    ASSERT_TRUE(nlohmann::json::accept(line)) << line;
    EXPECT_EQ(nlohmann::json::parse(line)["component"], "test");
  }
  EXPECT_EQ(lines, 4 * 200);
}

TEST(Write, TheLevelCanBeLowered) {
  Configure({.level = Level::kDebug, .format = Format::kHuman, .component = "test"});
  EXPECT_TRUE(Enabled(Level::kDebug));
  testing::internal::CaptureStderr();
  Debug("now seen");
  const std::string captured = testing::internal::GetCapturedStderr();
  EXPECT_NE(captured.find(" debug now seen\n"), std::string::npos) << captured;
  Configure({.level = Level::kError, .format = Format::kHuman, .component = "test"});
  testing::internal::CaptureStderr();
  Warn("not seen");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace holdfast::log
