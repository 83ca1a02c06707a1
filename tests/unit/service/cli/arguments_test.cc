#include "service/cli/arguments.h"

#include <cstdlib>

namespace holdfast::cli {
namespace {

constexpr Option kOptions[] = {{"--ttl", "DURATION", "how long"}, {"--create", "", "only when absent"}};
constexpr Option kCommon[] = {{"--url", "URL", "where"}, {"--help", "", "this text"}};
constexpr Command kPut{"put", "KEY [VALUE]", "Writes a key.", "More.", 1, 2, kOptions};

Result<Arguments> ParsePut(const std::vector<std::string>& words) {
  return Parse(kPut, kCommon, words);
}

TEST(ArgumentsTest, OptionsAndArgumentsInAnyOrder) {
  const auto parsed = ParsePut({"--create", "k", "--ttl", "5m", "v", "--url=http://x=y"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positional, (std::vector<std::string>{"k", "v"}));
  EXPECT_TRUE(parsed->Has("--create"));
  EXPECT_EQ(parsed->Get("--ttl"), "5m");
  EXPECT_EQ(parsed->Get("--url"), "http://x=y");
  EXPECT_EQ(parsed->Get("--store", "_default"), "_default");
}

TEST(ArgumentsTest, WhatLooksLikeAnOptionBehindTwoDashesIsNone) {
  const auto parsed = ParsePut({"--", "--create", "-"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positional, (std::vector<std::string>{"--create", "-"}));
}

TEST(ArgumentsTest, AnEmptyValueIsAValue) {
  const auto parsed = ParsePut({"k", "", "--ttl="});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->positional[1], "");
  EXPECT_TRUE(parsed->Has("--ttl"));
}

TEST(ArgumentsTest, RefusesAndNamesTheWord) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {{{}, "holdfast put KEY [VALUE]"},
                                                                   {{"a", "b", "c"}, "holdfast put KEY [VALUE]"},
                                                                   {{"k", "--nope"}, "--nope"},
                                                                   {{"k", "--nope=1"}, "--nope"},
                                                                   {{"k", "--ttl"}, "--ttl DURATION"},
                                                                   {{"k", "--create=yes"}, "--create takes no value"},
                                                                   {{"k", "--create", "--create"}, "twice"}};
  for (const auto& [words, expected] : rows) {
    const auto parsed = ParsePut(words);
    ASSERT_FALSE(parsed.ok()) << expected;
    EXPECT_THAT(parsed.error().message(), testing::HasSubstr(expected));
  }
}

TEST(ArgumentsTest, HelpNeedsNoArguments) {
  for (const char* word : {"--help", "-h"}) EXPECT_TRUE(ParsePut({word})->Has("--help"));
  const std::string help = HelpOf(kPut, kCommon);
  for (const char* expected : {"Usage: holdfast put [OPTIONS] KEY [VALUE]", "Writes a key.", "More.", "--ttl DURATION",
                               "only when absent", "--url URL"}) {
    EXPECT_THAT(help, testing::HasSubstr(expected));
  }
}

TEST(ArgumentsTest, ServerArgumentsLeaveSettingsToTheTable) {
  const auto parsed = ParseServerArguments({"--listen.port=1", "--config", "a.yaml", "--data_dir", "x"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->config_file, "a.yaml");
  EXPECT_EQ(parsed->flags, (std::vector<std::string>{"--listen.port=1", "--data_dir", "x"}));
  EXPECT_EQ(ParseServerArguments({"--config=b.yaml"})->config_file, "b.yaml");
  EXPECT_FALSE(ParseServerArguments({"--config"}).ok());
}

TEST(ArgumentsTest, TheFileMayComeFromTheEnvironment) {
  ASSERT_EQ(setenv("HOLDFAST_CONFIG", "/etc/holdfast.yaml", 1), 0);
  EXPECT_EQ(ParseServerArguments({})->config_file, "/etc/holdfast.yaml");
  EXPECT_EQ(ParseServerArguments({"--config=b.yaml"})->config_file, "b.yaml");
  ASSERT_EQ(unsetenv("HOLDFAST_CONFIG"), 0);
  EXPECT_EQ(ParseServerArguments({})->config_file, std::nullopt);
}

}  // namespace
}  // namespace holdfast::cli
