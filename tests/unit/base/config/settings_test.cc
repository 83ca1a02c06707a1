#include "base/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

namespace holdfast::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SettingsTable Table() {
  return SettingsTable({
      {.name = "listen.address", .default_value = "127.0.0.1", .description = "Where to listen."},
      {.name = "listen.port",
       .type = Type::kInteger,
       .default_value = "8080",
       .description = "Port.",
       .minimum = 0,
       .maximum = 65535},
      {.name = "listen.idle-timeout", .type = Type::kDuration, .default_value = "60s", .description = "Idle."},
      {.name = "log.level",
       .type = Type::kChoice,
       .default_value = "info",
       .description = "Least level | shown.",
       .choices = {"debug", "info"}},
      {.name = "log.color", .type = Type::kBool, .default_value = "false", .description = "Colour."},
      {.name = "limits.value", .type = Type::kBytes, .default_value = "10Mi", .description = "Largest value."},
      {.name = "peers", .type = Type::kList, .description = "Peers."},
      {.name = "token", .description = "Token.", .secret = true},
      {.name = "backends.*.type",
       .type = Type::kChoice,
       .default_value = "memory",
       .description = "Kind.",
       .choices = {"memory", "rocksdb"}},
      {.name = "backends.*.path", .description = "Folder."},
      {.name = "backends.*.cache.size", .type = Type::kBytes, .default_value = "64Mi", .description = "Cache."},
  });
}

class SettingsTest : public testing::Test {
 protected:
  SettingsTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("settings_test." + std::to_string(::getpid()) + "." + std::to_string(std::random_device{}()))) {
    std::filesystem::create_directory(folder_);
  }
  ~SettingsTest() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ / "holdfast.yaml"; }
  void WriteFile(std::string_view text) {
    std::ofstream(path(), std::ios::binary) << text;
    sources_.file = path();
  }
  Settings Good() {
    std::vector<Problem> problems;
    std::optional<Settings> settings = Table().Load(sources_, &problems);
    for (const Problem& problem : problems) ADD_FAILURE() << problem.where << ": " << problem.message;
    return settings.value_or(Settings());
  }
  // "where: message" of each problem, with the folder cut off.
  std::vector<std::string> Problems() {
    std::vector<Problem> problems;
    EXPECT_FALSE(Table().Load(sources_, &problems).has_value());
    std::vector<std::string> texts;
    for (const Problem& problem : problems) {
      std::string where = problem.where;
      if (where.starts_with(folder_.string())) where = where.substr(folder_.string().size() + 1);
      texts.push_back(where + ": " + problem.message);
    }
    return texts;
  }

  std::filesystem::path folder_;
  Sources sources_;
};

TEST_F(SettingsTest, DefaultsHoldWhereNothingIsSaid) {
  const Settings settings = Good();
  EXPECT_EQ(settings.String("listen.address"), "127.0.0.1");
  EXPECT_EQ(settings.Integer("listen.port"), 8080);
  EXPECT_EQ(settings.Duration("listen.idle-timeout"), seconds{60});
  EXPECT_EQ(settings.String("log.level"), "info");
  EXPECT_FALSE(settings.Bool("log.color"));
  EXPECT_EQ(settings.Bytes("limits.value"), 10u << 20);
  EXPECT_TRUE(settings.List("peers").empty());
  EXPECT_FALSE(settings.IsSet("listen.port"));
  EXPECT_TRUE(settings.Names("backends").empty());
}

TEST_F(SettingsTest, FileThenEnvironmentThenFlag) {
  WriteFile("listen: {port: 1, address: 0.0.0.1}\nlog: {level: debug}\n");
  EXPECT_EQ(Good().Integer("listen.port"), 1);
  sources_.environment = {{"HOLDFAST_LISTEN_PORT", "2"}, {"HOLDFAST_LISTEN_IDLE_TIMEOUT", "250ms"}, {"HOME", "/"}};
  EXPECT_EQ(Good().Integer("listen.port"), 2);
  sources_.flags = {"--listen.port=3", "--listen.address", "0.0.0.3"};
  const Settings settings = Good();
  EXPECT_EQ(settings.Integer("listen.port"), 3);
  EXPECT_EQ(settings.String("listen.address"), "0.0.0.3");
  EXPECT_EQ(settings.Duration("listen.idle-timeout"), milliseconds{250});
  EXPECT_EQ(settings.String("log.level"), "debug");
  EXPECT_TRUE(settings.IsSet("log.level"));
}

TEST_F(SettingsTest, StarRowsHoldForEveryNameWithDefaults) {
  WriteFile("backends:\n  main: {type: rocksdb, path: /data}\n  cache: {}\n  bare:\n");
  sources_.flags = {"--backends.main.cache.size=1Gi", "--backends.extra.path=/x"};
  const Settings settings = Good();
  EXPECT_THAT(settings.Names("backends"), ElementsAre("bare", "cache", "extra", "main"));
  EXPECT_EQ(settings.String("backends.main.type"), "rocksdb");
  EXPECT_EQ(settings.Bytes("backends.main.cache.size"), 1u << 30);
  EXPECT_EQ(settings.String("backends.cache.type"), "memory");
  EXPECT_EQ(settings.String("backends.bare.type"), "memory");
  EXPECT_EQ(settings.Bytes("backends.extra.cache.size"), 64u << 20);
  EXPECT_FALSE(settings.IsSet("backends.cache.type"));
}

TEST_F(SettingsTest, ListsComeAsSequenceOrText) {
  WriteFile("peers: [a, 'b,c', 3]\n");
  EXPECT_THAT(Good().List("peers"), ElementsAre("a", "b,c", "3"));
  sources_.flags = {"--peers=x, y"};
  EXPECT_THAT(Good().List("peers"), ElementsAre("x", "y"));
}

TEST_F(SettingsTest, FlagsOfTruthNeedNoValue) {
  sources_.flags = {"--log.color", "--listen.port", "1"};
  EXPECT_TRUE(Good().Bool("log.color"));
  sources_.flags = {"--log.color", "false"};
  EXPECT_FALSE(Good().Bool("log.color"));
}

TEST_F(SettingsTest, EverythingWrongIsSaidAtOnceWithItsPlace) {
  WriteFile(
      "listen:\n"
      "  prot: 80\n"
      "  port: 70000\n"
      "lgo: {level: debug}\n"
      "log:\n"
      "  level: loud\n"
      "  color: [true]\n"
      "limits: 5\n"
      "backends:\n"
      "  main: {tpye: memory}\n"
      "  'a b': {type: memory}\n"
      "peers: [a, {}]\n");
  sources_.environment = {{"HOLDFAST_LISTEN_PROT", "1"}, {"HOLDFAST_LIMITS_VALUE", "much"}};
  sources_.flags = {"--log.levle=debug", "stray", "--token", "--listen.port"};
  EXPECT_THAT(
      Problems(),
      ElementsAre("holdfast.yaml:2: there is no setting listen.prot; did you mean listen.port?",
                  "holdfast.yaml:3: listen.port: 70000 is above the maximum of 65535; use 0 to 65535",
                  "holdfast.yaml:4: there is no setting lgo; did you mean log?",
                  "holdfast.yaml:6: log.level: 'loud' is not one of debug, info",
                  "holdfast.yaml:7: log.color takes true or false, not a list",
                  "holdfast.yaml:8: limits is a section; put its settings below it, indented",
                  "holdfast.yaml:10: there is no setting backends.main.tpye; did you mean backends.main.type?",
                  "holdfast.yaml:11: 'a b' cannot be a name; use 1 to 63 letters, digits, '-' or '_'",
                  HasSubstr("holdfast.yaml:11: there is no setting backends.a b.type"),
                  "holdfast.yaml:12: peers: an item must be a word or a number",
                  HasSubstr("environment HOLDFAST_LIMITS_VALUE: limits.value: 'much' is not a quantity of bytes"),
                  "environment HOLDFAST_LISTEN_PROT: no setting has this name; did you mean HOLDFAST_LISTEN_PORT?",
                  "flag --log.levle: there is no setting log.levle; did you mean log.level?",
                  "flag stray: is no flag; write --name=value", "flag --token: has no value; write --token=value",
                  "flag --listen.port: has no value; write --listen.port=value"));
}

TEST_F(SettingsTest, ANameGivenTwiceIsRefused) {
  WriteFile("log: {level: info}\nlisten: {port: 1}\nlisten.port: 3\nlog: {color: true}\n");
  sources_.flags = {"--log.level=info", "--log.level=debug"};
  EXPECT_THAT(Problems(), ElementsAre("holdfast.yaml:3: listen.port is given twice; give it once",
                                      "holdfast.yaml:4: log is given twice; give it once",
                                      "flag --log.level: is given twice; give it once"));
}

TEST_F(SettingsTest, AFileThatIsNoSettingsIsOneProblem) {
  WriteFile("listen:\n  port: [1\nlog: x\n");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("holdfast.yaml:3: is not valid YAML: ")));
  WriteFile("- a\n");
  EXPECT_THAT(Problems(), ElementsAre("holdfast.yaml:1: a settings file is a map; write name: value"));
  WriteFile("listen: {port: 1}\n---\nlisten: {port: 2}\n");
  EXPECT_THAT(Problems(), ElementsAre("holdfast.yaml:3: a settings file is one YAML document; remove the second"));
  WriteFile("listen: &x {port: 1}\nlog: *x\n");
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("holdfast.yaml:2: is not valid YAML: aliases are not accepted")));
  sources_.file = folder_ / "missing.yaml";
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("missing.yaml: No such file or directory")));
}

// It was taken for an empty file, and everything had its default.
TEST_F(SettingsTest, AFolderIsNoSettingsFile) {
  sources_.file = folder_;
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("settings file: cannot read ")));
}

TEST_F(SettingsTest, AnEmptyFileAndNullSayNothing) {
  WriteFile("");
  EXPECT_EQ(Good().Integer("listen.port"), 8080);
  WriteFile("# only a comment\nlisten:\nlog: {level: ~}\n");
  EXPECT_EQ(Good().String("log.level"), "info");
}

TEST_F(SettingsTest, WhatKubernetesSetsForAServiceOfOurNameIsNoMistake) {
  sources_.environment = {{"HOLDFAST_SERVICE_HOST", "10.0.0.1"},
                          {"HOLDFAST_SERVICE_PORT", "8080"},
                          {"HOLDFAST_SERVICE_PORT_HTTP", "8080"},
                          {"HOLDFAST_PORT", "tcp://10.0.0.1:8080"},
                          {"HOLDFAST_PORT_8080_TCP", "tcp://10.0.0.1:8080"},
                          {"HOLDFAST_PORT_8080_TCP_ADDR", "10.0.0.1"},
                          {"HOLDFAST_SEED", "1"}};
  EXPECT_EQ(Good().Integer("listen.port"), 8080);
  sources_.environment = {{"HOLDFAST_PORT", "8080"}};
  EXPECT_THAT(Problems(), ElementsAre(HasSubstr("environment HOLDFAST_PORT: no setting has this name")));
  sources_.environment_ignored = {"HOLDFAST_PORT"};
  EXPECT_EQ(Good().Integer("listen.port"), 8080);
}

TEST_F(SettingsTest, SecretsAreMaskedEverywhere) {
  WriteFile("token: canary-4711\nlisten: {port: x}\n");
  sources_.flags = {"--token=canary-4711", "--token=canary-4711"};
  for (const std::string& problem : Problems()) EXPECT_EQ(problem.find("canary"), std::string::npos) << problem;
  WriteFile("token: canary-4711\n");
  sources_.flags.clear();
  EXPECT_EQ(Good().String("token"), "canary-4711");
  EXPECT_EQ(Good().ToYaml().find("canary"), std::string::npos);
  EXPECT_THAT(Good().ToYaml(), HasSubstr("token: \"****\"\n"));
}

TEST_F(SettingsTest, WhatIsPrintedCanBeReadAgain) {
  WriteFile(
      "backends: {main: {path: 'yes'}}\npeers: [a, 'true', '1']\nlisten: {idle-timeout: 250ms}\nlog: {color: true}\n");
  const std::string printed = Good().ToYaml();
  WriteFile(printed);
  EXPECT_EQ(Good().ToYaml(), printed);
  EXPECT_EQ(Good().String("backends.main.path"), "yes");
  EXPECT_THAT(Good().List("peers"), ElementsAre("a", "true", "1"));
}

TEST_F(SettingsTest, WhatHasChangedIsNamed) {
  WriteFile("listen: {port: 1}\nlog: {level: info}\nbackends: {a: {path: /x}}\n");
  const Settings former = Good();
  EXPECT_THAT(former.ChangedSince(former), IsEmpty());
  WriteFile("listen: {port: 1}\nlog: {level: debug}\npeers: [x]\nbackends: {b: {}}\n");
  const Settings now = Good();
  const auto changed = ElementsAre("backends.a.cache.size", "backends.a.path", "backends.a.type",
                                   "backends.b.cache.size", "backends.b.path", "backends.b.type", "log.level", "peers");
  EXPECT_THAT(now.ChangedSince(former), changed);
  EXPECT_THAT(former.ChangedSince(now), changed);
}

TEST_F(SettingsTest, EverySlipOfOneEditFindsTheNameAgain) {
  const char* seed_text = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = seed_text == nullptr ? 1 : std::stoull(seed_text);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const SettingsTable table = Table();
  for (int i = 0; i < 300; ++i) {
    const std::string name = table.rows()[random() % 7].name;
    std::string slip = name;
    const std::size_t at = random() % slip.size();
    if (slip[at] == '.') continue;
    switch (random() % 3) {
      case 0:
        slip.erase(at, 1);
        break;
      case 1:
        slip.insert(at, 1, 'q');
        break;
      default:
        slip[at] = 'q';
    }
    if (slip == name) continue;
    sources_.flags = {"--" + slip + "=1"};
    EXPECT_THAT(Problems(), ElementsAre(HasSubstr("did you mean " + name + "?"))) << slip;
  }
}

TEST_F(SettingsTest, AnyTextAsFileIsReadOrRefusedWithItsPlace) {
  const char* seed_text = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = seed_text == nullptr ? 1 : std::stoull(seed_text);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  constexpr std::string_view kPieces[] = {"listen", ":",        " ", "\n", "  ",    "port", "{",    "}",     "[", "]",
                                          "8080",   "-",        "#", "'",  "\"",    "&a",   "*a",   "!!str", "|", ">",
                                          "? ",     "backends", "x", "\t", "---\n", "%",    "\xFF", "null"};
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    for (std::uint64_t pieces = random() % 30; pieces > 0; --pieces) text += kPieces[random() % std::size(kPieces)];
    WriteFile(text);
    std::vector<Problem> problems;
    const bool loaded = Table().Load(sources_, &problems).has_value();
    ASSERT_EQ(loaded, problems.empty()) << text;
    for (const Problem& problem : problems) ASSERT_TRUE(problem.where.starts_with(path() + ":")) << problem.where;
  }
}

TEST(SettingsTable, MarkdownGolden) {
  const SettingsTable table({{.name = "a.port",
                              .type = Type::kInteger,
                              .default_value = "8",
                              .description = "A | B.",
                              .minimum = 1,
                              .maximum = 9},
                             {.name = "b.*.key", .description = "C.", .secret = true}});
  EXPECT_EQ(table.ToMarkdown(),
            "| Setting | Environment | Value | Default | Meaning |\n"
            "|---|---|---|---|---|\n"
            "| `a.port` | `HOLDFAST_A_PORT` | integer, 1 to 9 | `8` | A \\| B. |\n"
            "| `b.*.key` |  | text |  | C. |\n");
  EXPECT_EQ(table.ToHelp(),
            "  --a.port  (integer, 1 to 9; default 8)\n      A | B.\n"
            "  --b.*.key  (text)\n      C.\n");
}

TEST(SettingsDeathTest, AWrongTableOrQuestionAborts) {
  EXPECT_DEATH(SettingsTable({{.name = "a", .description = "A."}, {.name = "a", .description = "A."}}), "twice");
  EXPECT_DEATH(SettingsTable({{.name = "a-b", .description = "A."}, {.name = "a.b", .description = "A."}}),
               "environment name");
  EXPECT_DEATH(SettingsTable({{.name = "a", .description = "A."}, {.name = "a.b", .description = "A."}}), "below");
  EXPECT_DEATH(SettingsTable({{.name = "a", .type = Type::kBool, .default_value = "x", .description = "A."}}),
               "its default");
  std::vector<Problem> problems;
  const std::optional<Settings> settings = Table().Load({}, &problems);
  ASSERT_TRUE(settings.has_value());
  EXPECT_DEATH(static_cast<void>(settings->String("listen.prot")), "not in the table");
  EXPECT_DEATH(static_cast<void>(settings->String("listen.port")), "another type");
}

}  // namespace
}  // namespace holdfast::config
