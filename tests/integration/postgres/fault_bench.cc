#include "tests/integration/postgres/fault_bench.h"

#include <fmt/format.h>

#include <sstream>

#include "tests/waiting/eventually.h"

namespace holdfast {

using postgres_servers::Server;
using postgres_servers::ServerOptions;

PostgresFaultTest::PostgresFaultTest(const ServerOptions& options) : server_(Server::Start(options).value()) {
  database_.emplace(*server_);
  Process::Options migrate;
  migrate.words = {"migrate", "up"};
  migrate.environment = {{"HOLDFAST_MIGRATION_URL", Url()}};
  const Finished migrated = RunHoldfast(migrate);
  EXPECT_EQ(migrated.exit_code, 0) << migrated.errors;
}

std::string PostgresFaultTest::Backend(const std::string& more, const std::string& url) const {
  return fmt::format(
      "postgres, url: \"{}\", pool_min: {}, pool_max: 6, acquire_timeout: 1s, connect_timeout: 2s, idle_timeout: 1s, "
      "poll_interval: 50ms{}",
      url.empty() ? Url() : url, kPoolMin, more);
}

Service& PostgresFaultTest::StartService(const std::string& more, const std::string& url, const std::string& store) {
  service_.emplace(folder_, Backend(more, url) + "}, aside: {type: memory",
                   "stores: {main: {backend: local}, aside: {backend: aside}" + (store.empty() ? "" : ", " + store) +
                       "}\ndefault_store: main\n"
                       "health: {interval: 100ms, timeout: 1s}\n");
  ExpectNoConnectionLeft();
  return *service_;
}

Service& PostgresFaultTest::StartServiceAlone(const std::string& more) {
  service_.emplace(folder_, Backend(more, ""), "health: {interval: 100ms, timeout: 1s}\n");
  ExpectNoConnectionLeft();
  return *service_;
}

http::ClientResponse PostgresFaultTest::Put(const std::string& key, const std::string& value,
                                            const std::string& timeout) {
  return service_->Send("PUT", "/v1/stores/main/keys/" + key, {{"Holdfast-Timeout", timeout}}, value);
}

http::ClientResponse PostgresFaultTest::Get(const std::string& key, const std::string& timeout) {
  return service_->Send("GET", "/v1/stores/main/keys/" + key, {{"Holdfast-Timeout", timeout}});
}

std::string PostgresFaultTest::CodeOf(const http::ClientResponse& response) {
  if (response.status / 100 == 2) return "ok";
  const auto problem = nlohmann::json::parse(response.body, nullptr, false);
  return problem.is_object() ? problem.value("code", "") : "";
}

WriteHistory::Entries PostgresFaultTest::Everything() {
  const auto answer = service_->Send("GET", "/v1/stores/main/keys?values=true", {{"Accept", "application/x-ndjson"}});
  EXPECT_EQ(answer.status, 200) << answer.body;
  WriteHistory::Entries entries;
  std::istringstream lines(answer.body);
  for (std::string line; std::getline(lines, line);) {
    const auto item = nlohmann::json::parse(line);
    if (item.contains("key")) entries[item.at("key")] = item.at("value");
  }
  return entries;
}

std::string PostgresFaultTest::Health(std::string* error) {
  const auto report = nlohmann::json::parse(service_->Admin("/healthz").body);
  for (const auto& backend : report.at("backends")) {
    if (backend.at("name") != "local") continue;
    if (error != nullptr) *error = backend.value("error", "");
    return backend.at("status");
  }
  return "missing";
}

void PostgresFaultTest::ExpectTheRestServes() {
  EXPECT_EQ(CodeOf(service_->Send("PUT", "/v1/stores/aside/keys/a", {}, "1")), "ok");
  EXPECT_EQ(service_->Send("GET", "/v1/stores/aside/keys/a").body, "1");
  EXPECT_EQ(service_->Admin("/livez").status, 200);
}

void PostgresFaultTest::ExpectRecovery() {
  EXPECT_TRUE(Eventually([&] { return CodeOf(Put("recovered", "1")) == "ok"; }));
  EXPECT_EQ(CodeOf(service_->Send("DELETE", "/v1/stores/main/keys/recovered")), "ok");
  EXPECT_TRUE(Eventually([&] { return Health() == "healthy"; }));
}

void PostgresFaultTest::ExpectNothingLost(const WriteHistory& history) {
  EXPECT_THAT(history.Complaints(Everything()), testing::IsEmpty());
  const WriteHistory::Counts counts = history.counts();
  EXPECT_GT(counts.acknowledged, 0u);
  testing::Test::RecordProperty("acknowledged", std::to_string(counts.acknowledged));
  testing::Test::RecordProperty("refused", std::to_string(counts.refused));
  testing::Test::RecordProperty("unknown", std::to_string(counts.unknown));
}

void PostgresFaultTest::ExpectNoConnectionLeft(Server& at) {
  // The pool at rest, and the one that reads the change log.
  const std::string rest = std::to_string(kPoolMin + 1);
  auto session = at.Connect(database_->name()).value();
  std::string count;
  const bool left = Eventually([&] {
    count = session
                .Value(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast' "
                    "AND datname = current_database()")
                .value();
    return count == rest;
  });
  ASSERT_TRUE(left) << count << " sessions of the service, at rest it has " << rest;
  const std::string idle = fmt::format("holdfast_pool_connections{{backend=\"local\",state=\"idle\"}} {}\n", kPoolMin);
  EXPECT_TRUE(Eventually([&] { return service_->Admin("/metrics").body.find(idle) != std::string::npos; }));
}

}  // namespace holdfast
