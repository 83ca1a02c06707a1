// Settings, as the program reads them.
#include <fstream>
#include <sstream>

#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

using testing::HasSubstr;

Finished Check(const std::vector<std::string>& words, const std::map<std::string, std::string>& environment = {}) {
  Process::Options options;
  options.words = {"check-config"};
  options.words.insert(options.words.end(), words.begin(), words.end());
  options.environment = environment;
  return RunHoldfast(options);
}

TEST(ConfigurationTest, EveryProblemAtOnceWithItsPlace) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("holdfast.yaml",
                                        "listen:\n"
                                        "  port: 99999\n"
                                        "  adress: 0.0.0.0\n"
                                        "timeouts: {default: soon}\n"
                                        "backends:\n"
                                        "  local: {type: rockdb}\n");
  for (const char* command : {"check-config", "serve"}) {
    Process::Options options;
    options.words = {command, "--config", file, "--log.level=loud"};
    options.environment = {{"HOLDFAST_LIMITS_KEY", "9000"}};
    const Finished finished = RunHoldfast(options);
    EXPECT_EQ(finished.exit_code, 2) << command;
    EXPECT_EQ(finished.output, "") << command;
    for (const char* expected :
         {"holdfast.yaml:2", "listen.port", "holdfast.yaml:3", "listen.adress", "listen.address", "holdfast.yaml:4",
          "timeouts.default", "holdfast.yaml:6", "rockdb", "HOLDFAST_LIMITS_KEY", "log.level"}) {
      EXPECT_THAT(finished.errors, HasSubstr(expected)) << command;
    }
  }
}

TEST(ConfigurationTest, WhatTheRowsMeanTogether) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"--stores.main.backend=nope"}, "no backend \"nope\""},
      {{"--backends.a.type=memory", "--backends.b.type=memory"}, "several backends and no store"},
      {{"--backends.a.type=memory", "--backends.b.type=memory", "--stores.x.backend=a", "--stores.y.backend=b"},
       "default_store"},
      {{"--backends.a.type=memory", "--stores.x.backend=a", "--default_store=z"}, "no store \"z\""},
      {{"--backends.a.type=memory", "--backends.a.cache_size=1Gi"}, "no meaning for a backend of type memory"},
      {{"--backends.a.max_bytes=1Gi"}, "no meaning for a backend of type rocksdb"},
      {{"--backends.a.path=x", "--backends.b.path=./x", "--stores.s.backend=a", "--stores.t.backend=b",
        "--default_store=s"},
       "same folder"},
      {{"--timeouts.default=10m"}, "timeouts.maximum"},
      {{"--listen.port=7000", "--admin.port=7000"}, "same as listen.port"},
      {{"--listen.tls.certificate=tls.crt"}, "listen.tls.certificate needs it"},
      {{"--listen.tls.client_ca=ca.crt"}, "no meaning without listen.tls.certificate"},
  };
  for (const auto& [flags, expected] : rows) {
    const Finished finished = Check(flags);
    EXPECT_EQ(finished.exit_code, 2) << expected;
    EXPECT_THAT(finished.errors, HasSubstr(expected));
  }
}

TEST(ConfigurationTest, DefaultsAreOneRocksDbStore) {
  const Finished finished = Check({});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("port: 8080"));
  EXPECT_EQ(finished.errors, "");
}

TEST(ConfigurationTest, FileThenEnvironmentThenFlag) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("c.yaml", "listen: {port: 1111, threads: 1}\nadmin: {port: 1111}\n");
  const Finished finished = Check({"--config", file, "--listen.port=3333"},
                                  {{"HOLDFAST_LISTEN_PORT", "2222"}, {"HOLDFAST_ADMIN_PORT", "2222"}});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("port: 3333"));
  EXPECT_THAT(finished.output, HasSubstr("port: 2222"));
  EXPECT_THAT(finished.output, HasSubstr("threads: 1"));
}

// What the operator renders for the sample of the documentation.
TEST(ConfigurationTest, TheOperatorsFileIsUnderstood) {
  const TemporaryFolder folder;
  const std::string file = folder.Write("c.yaml",
                                        "listen: {address: 0.0.0.0, port: 8080}\n"
                                        "admin: {address: 0.0.0.0, port: 9090}\n"
                                        "data_dir: /var/lib/holdfast\n"
                                        "backends:\n"
                                        "  local: {type: rocksdb, path: local, durability: sync, cache_size: 256Mi, "
                                        "compression: zstd}\n"
                                        "  scratch: {type: memory, max_bytes: 64Mi}\n"
                                        "stores:\n"
                                        "  main: {backend: local, default_ttl: 1h}\n"
                                        "  sessions: {backend: scratch}\n"
                                        "default_store: main\n");
  const Finished finished = Check({}, {{"HOLDFAST_CONFIG", file}});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("zstd"));
}

// Kubernetes gives these to every pod beside a Service called holdfast.
TEST(ConfigurationTest, KubernetesServiceVariablesAreNoSettings) {
  const Finished finished = Check({}, {{"HOLDFAST_SERVICE_HOST", "10.0.0.1"},
                                       {"HOLDFAST_SERVICE_PORT", "8080"},
                                       {"HOLDFAST_SERVICE_PORT_DATA", "8080"},
                                       {"HOLDFAST_PORT", "tcp://10.0.0.1:8080"},
                                       {"HOLDFAST_PORT_8080_TCP", "tcp://10.0.0.1:8080"},
                                       {"HOLDFAST_PORT_8080_TCP_ADDR", "10.0.0.1"},
                                       {"HOLDFAST_URL", "http://x"}});
  EXPECT_EQ(finished.exit_code, 0) << finished.errors;
  const Finished unknown = Check({}, {{"HOLDFAST_LISTEN_PROT", "1"}});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("HOLDFAST_LISTEN_PROT"));
}

TEST(ConfigurationTest, MissingFile) {
  const Finished finished = Check({"--config", "/nonexistent/holdfast.yaml"});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("/nonexistent/holdfast.yaml"));
}

// docs/configuration.md is generated; regenerate it with `holdfast check-config --markdown > docs/configuration.md`.
TEST(ConfigurationTest, ThePageIsUpToDate) {
  std::ifstream page(HOLDFAST_DOCS "/configuration.md");
  std::stringstream text;
  text << page.rdbuf();
  EXPECT_EQ(Check({"--markdown"}).output, text.str());
}

}  // namespace
}  // namespace holdfast
