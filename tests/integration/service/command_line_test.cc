// holdfast get, put, delete, scan, health, bench: what they print and how they exit.
#include <fmt/format.h>

#include <csignal>
#include <thread>

#include "base/time/deadline.h"
#include "tests/integration/service/raw_socket.h"
#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

class CommandLineTest : public ServiceTest {
 protected:
  Finished Run(const Service& service, const std::vector<std::string>& words, const std::string& input = "") {
    Process::Options options;
    options.words = words;
    options.environment = {{"HOLDFAST_URL", service.url()},
                           {"HOLDFAST_ADMIN_URL", fmt::format("http://127.0.0.1:{}", service.admin_port())}};
    options.input = input;
    return RunHoldfast(options);
  }
};
HOLDFAST_ON_BOTH_BACKENDS(CommandLineTest);

TEST_P(CommandLineTest, ValuesGoInAndComeOutAsTheyAre) {
  Service service = Start();
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string file = folder_.Write("value", bytes);
  EXPECT_EQ(Run(service, {"put", "from-input"}, bytes).exit_code, 0);
  EXPECT_EQ(Run(service, {"put", "from-file", "--file", file}).exit_code, 0);
  EXPECT_EQ(Run(service, {"put", "from-folder", "--file", "/"}).exit_code, 2);
  EXPECT_EQ(Run(service, {"put", "from-argument", "hello"}).exit_code, 0);
  EXPECT_EQ(Run(service, {"get", "from-input"}).output, bytes);
  EXPECT_EQ(Run(service, {"get", "from-file"}).output, bytes);
  EXPECT_EQ(Run(service, {"get", "from-argument"}).output, "hello");
  EXPECT_EQ(Run(service, {"get", "--", "from-argument"}).output, "hello");
}

TEST_P(CommandLineTest, KeysOfAnySpelling) {
  Service service = Start();
  for (const std::string key : {"a/../b", "..", "a b", "a+b", "100%", "é", "?x=1", "a#b", "//"}) {
    EXPECT_EQ(Run(service, {"put", key, key}).exit_code, 0) << key;
    EXPECT_EQ(Run(service, {"get", key}).output, key);
  }
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), 9);
}

TEST_P(CommandLineTest, ExitCodesSayWhatHappened) {
  Service service = Start();
  EXPECT_EQ(Run(service, {"get", "absent"}).exit_code, 1);
  const Finished created = Run(service, {"put", "k", "1", "--create"});
  EXPECT_EQ(created.exit_code, 0);
  const std::string tag = created.output.substr(0, created.output.size() - 1);
  const Finished again = Run(service, {"put", "k", "2", "--create"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.errors, HasSubstr("already_exists"));
  EXPECT_EQ(Run(service, {"put", "k", "2", "--if-match", tag}).exit_code, 0);
  EXPECT_EQ(Run(service, {"delete", "k", "--if-match=" + tag.substr(1, tag.size() - 2)}).exit_code, 1);
  EXPECT_EQ(Run(service, {"delete", "k"}).exit_code, 0);
  EXPECT_EQ(Run(service, {"delete", "k"}).exit_code, 0);
  EXPECT_EQ(Run(service, {"put", "k", "v", "--ttl", "0"}).exit_code, 2);
  EXPECT_EQ(Run(service, {"get", "k", "--store", "nope"}).exit_code, 1);
  EXPECT_EQ(Run(service, {"health"}).exit_code, 0);
}

TEST_P(CommandLineTest, HealthWaitsUntilItIsHealthy) {
  Service service = Start();
  service.process().Signal(SIGSTOP);
  Process waiting({{"health", "--timeout", "100ms", "--wait", "1m", "--url",
                    fmt::format("http://127.0.0.1:{}", service.admin_port())},
                   {},
                   ""});
  const Deadline patience = Deadline::After(std::chrono::seconds{30});
  while (waiting.Errors().find("not healthy yet") == std::string::npos && !patience.Expired()) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  EXPECT_THAT(waiting.Errors(), HasSubstr("not healthy yet"));
  EXPECT_TRUE(waiting.Running());
  service.process().Signal(SIGCONT);
  EXPECT_EQ(waiting.Wait(), 0);
  EXPECT_THAT(waiting.Output(), HasSubstr("healthy"));
}

TEST_P(CommandLineTest, Scans) {
  Service service = Start();
  for (int i = 0; i < 5; ++i) service.Send("PUT", fmt::format("/v1/stores/main/keys/k{}", i), {}, "v");
  service.Send("PUT", "/v1/stores/main/keys/%ff", {}, "v");
  EXPECT_EQ(Run(service, {"scan", "k"}).output, "k0\nk1\nk2\nk3\nk4\n");
  EXPECT_EQ(Run(service, {"scan", "k", "--limit", "2", "--descending"}).output, "k4\nk3\n");
  EXPECT_EQ(Run(service, {"scan", "--start=k1", "--end", "k3", "--values"}).output, "k1\tv\nk2\tv\n");
  EXPECT_EQ(Run(service, {"scan", "--start", "l"}).output, "base64:/w==\n");
  const Finished as_json = Run(service, {"scan", "k0", "--json"});
  EXPECT_EQ(nlohmann::json::parse(as_json.output).at("key"), "k0");
}

TEST_P(CommandLineTest, BenchMeasuresAndLeavesNothingBehind) {
  Service service = Start();
  for (const std::vector<std::string>& loop : {std::vector<std::string>{}, {"--rate", "200"}}) {
    std::vector<std::string> words = {"bench", "--duration", "300ms", "--connections", "4", "--keys", "50", "--json"};
    words.insert(words.end(), loop.begin(), loop.end());
    const Finished finished = Run(service, words);
    ASSERT_EQ(finished.exit_code, 0) << finished.errors;
    const nlohmann::json report = nlohmann::json::parse(finished.output);
    EXPECT_EQ(report.at("failed"), 0);
    const auto answered = report.at("answered").get<int>();
    // What is due in 300 ms, however long it takes.
    if (loop.empty()) {
      EXPECT_GT(answered, 0);
    } else {
      EXPECT_EQ(answered, 60);
    }
    double last = 0;
    for (const char* percentile : {"p50", "p90", "p99", "p99.9", "max"}) {
      const auto latency = report.at("latency_us").at(percentile).get<double>();
      EXPECT_GT(latency, 0) << percentile;
      EXPECT_GE(latency, last) << percentile;
      last = latency;
    }
    EXPECT_EQ(service.Json("GET", "/v1/stores/main/count").at("count"), 0);
  }
}

TEST_P(CommandLineTest, BenchKeepsItsHandsOffOtherKeys) {
  Service service = Start();
  service.Send("PUT", "/v1/stores/main/keys/mine/1", {}, "v");
  const std::vector<std::string> words = {"bench",  "--prefix", "mine/",       "--duration", "50ms",
                                          "--keys", "10",       "--operation", "put"};
  const Finished refused = Run(service, words);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("--keep"));
  EXPECT_EQ(Run(service, {"get", "mine/1"}).output, "v");
  const Finished absent = Run(service, {"bench", "--store", "nope"});
  EXPECT_EQ(absent.exit_code, 1) << absent.errors;
}

TEST(CommandLineTest, FaultNobodyAnswers) {
  std::string url;
  {
    const TakenPort free;
    url = fmt::format("http://127.0.0.1:{}", free.port());
  }
  for (const std::vector<std::string>& words : {std::vector<std::string>{"get", "k", "--url", url},
                                                {"put", "k", "v", "--url", url},
                                                {"scan", "--url", url},
                                                {"bench", "--url", url},
                                                {"health", "--url", url},
                                                {"health", "--wait", "10ms", "--url", url}}) {
    const Finished finished = RunHoldfast({words, {}, ""});
    EXPECT_EQ(finished.exit_code, 3) << words[0];
    EXPECT_THAT(finished.errors, HasSubstr("--url")) << words[0];
  }
}

TEST(CommandLineTest, WrongUsageIsTwoAndSaysWhereHelpIs) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"get"},
                                                {"get", "a", "b"},
                                                {"get", "k", "--nope"},
                                                {"put", "k", "v", "--ttl"},
                                                {"put", "k", "v", "--create", "--create"},
                                                {"put", "k", "v", "--create", "--if-match", "1"},
                                                {"scan", "--limit", "0"},
                                                {"get", "k", "--url", "ftp://x"},
                                                {"get", "k", "--timeout", "0"},
                                                {"bench", "--operation", "delete"},
                                                {"bench", "--connections", "0"},
                                                {"bench", "--rate", "nan"},
                                                {"bench", "--prefix", ""},
                                                {"bench", "--url", "https://127.0.0.1:1"},
                                                {"serve", "--config"}}) {
    const Finished finished = RunHoldfast({words, {}, ""});
    EXPECT_EQ(finished.exit_code, 2) << words[0];
    EXPECT_THAT(finished.errors, HasSubstr("--help")) << words[0];
  }
  const Finished unknown = RunHoldfast({{"gte"}, {}, ""});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("unknown command \"gte\""));
  EXPECT_EQ(RunHoldfast({{}, {}, ""}).exit_code, 2);
}

TEST(CommandLineTest, EveryCommandHasHelp) {
  EXPECT_EQ(RunHoldfast({{"--help"}, {}, ""}).exit_code, 0);
  for (const char* command : {"serve", "check-config", "migrate", "import", "export", "copy", "health", "get", "put",
                              "delete", "scan", "migration", "checkpoint", "backup", "bench"}) {
    const Finished help = RunHoldfast({{command, "--help"}, {}, ""});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.output, HasSubstr(std::string("Usage: holdfast ") + command));
    EXPECT_THAT(RunHoldfast({{"--help"}, {}, ""}).output, HasSubstr(command));
  }
  EXPECT_THAT(RunHoldfast({{"version"}, {}, ""}).output, testing::StartsWith("holdfast "));
}

}  // namespace
}  // namespace holdfast
