// The service over PostgreSQL, and several instances of it over one database.
#include <fmt/format.h>

#include <thread>

#include "tests/integration/service/metrics_page.h"
#include "tests/integration/service/service_fixture.h"
#include "tests/postgres/shared_server.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using postgres_servers::FreshDatabase;

const std::string kKey = "/v1/stores/main/keys/";
const std::string kLock = "/v1/stores/main/locks/a";

class PostgresServiceTest : public testing::Test {
 protected:
  void Migrate() {
    Process::Options options;
    options.words = {"migrate", "up"};
    options.environment = {{"HOLDFAST_MIGRATION_URL", database_.Url()}};
    ASSERT_EQ(RunHoldfast(options).exit_code, 0);
  }
  Service Start(const TemporaryFolder& folder) {
    return Service(folder, fmt::format("postgres, url: \"{}\", pool_max: 4, poll_interval: 50ms", database_.Url()));
  }
  const FreshDatabase database_;
  const TemporaryFolder first_folder_;
  const TemporaryFolder second_folder_;
};

TEST_F(PostgresServiceTest, postgres_serves_and_shows_its_pool) {
  Migrate();
  Service service = Start(first_folder_);
  const auto created = service.Send("PUT", kKey + "a", {{"Holdfast-TTL", "1h"}}, "value");
  EXPECT_EQ(created.status, 201);
  EXPECT_EQ(service.Send("GET", kKey + "a").body, "value");
  const nlohmann::json batch = service.Json(
      "POST", "/v1/stores/main/batch",
      R"({"operations":[{"op":"put","key":"b","value":"1"},{"op":"increment","key":"b","by":4},{"op":"get","key":"b"}]})");
  EXPECT_EQ(batch.at("results").at(2).at("value"), "5");
  EXPECT_EQ(service.Json("GET", "/v1/stores/main/count?prefix=").at("count"), 2);
  const std::string metrics = service.Admin("/metrics").body;
  for (const char* name :
       {"holdfast_pool_connections{backend=\"local\",state=\"idle\"}", "holdfast_pool_waiting{backend=\"local\"} 0",
        "holdfast_pool_requests_total{backend=\"local\"",
        "holdfast_pool_changes_total{backend=\"local\",change=\"opened\"}",
        "holdfast_batch_size_count{backend=\"local\",store=\"main\"}"}) {
    EXPECT_NE(metrics.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(service.process().Errors().find(postgres_servers::kPassword), std::string::npos);
}

// The same contract as for local backends, with what only a remote one has.
TEST_F(PostgresServiceTest, postgres_metrics_are_the_documented_ones) {
  const auto primary = postgres_servers::Server::Start().value();
  Process::Options migrate;
  migrate.words = {"migrate", "up"};
  migrate.environment = {{"HOLDFAST_MIGRATION_URL", primary->Url()}};
  ASSERT_EQ(RunHoldfast(migrate).exit_code, 0);
  const auto replica = postgres_servers::Server::StartReplica(*primary).value();
  const std::string tokens = first_folder_.Write("tokens.yaml",
                                                 "tokens: [{name: writer, token: known, namespace: default}]\n"
                                                 "rules: [{principals: [writer], verbs: [write]}]\n");
  Service service(
      first_folder_,
      fmt::format("postgres, url: \"{}\", replica_urls: [\"{}\"], statistics_interval: 50ms, "
                  "breaker: true, retry_attempts: 2, bulkhead_calls: 100, hedge_after: 1s}}, near: {{type: memory}}, "
                  "left: {{type: memory}}, right: {{type: memory}}, second: {{type: memory}}, "
                  "one: {{type: memory}}, two: {{type: memory}}, three: {{type: memory}}, "
                  "kept: {{type: memory}}, log: {{type: memory}}, hot: {{type: memory, max_bytes: 1Mi, eviction: lru",
                  primary->Url(), replica->Url()),
      fmt::format(
          "stores: {{main: {{backend: local, backup_schedule: '@daily', resilience: {{breaker: true, retry_attempts: "
          "2, "
          "bulkhead_calls: 100, hedge_after: 1s}}}}, near: {{backend: near, cache: hot, write: "
          "behind, write_queue: log}}, "
          "aside: {{backend: near, failover: second}}, "
          "moving: {{backend: left, migrate_to: right}}, several: {{backend: one, replicas: [two, three], "
          "replica_compare_interval: 1h}}, kept: {{backend: kept, change_archive: true}}}}\n"
          "default_store: main\n"
          "tracing: {{endpoint: \"http://127.0.0.1:1\"}}\nbackups: {{directory: backups}}\naudit: {{on: true}}\n"
          "auth: {{mode: both, tokens_file: {}}}\n",
          tokens));
  EXPECT_EQ(service.Send("PUT", kKey + "k", {{"Authorization", "Bearer known"}}, "v").status, 201);
  // What comes last, and is told by the server.
  ASSERT_TRUE(Eventually(
      [&] { return service.Admin("/metrics").body.find("holdfast_replication_lag_bytes{") != std::string::npos; }));
  const std::string text = service.Admin("/metrics").body;
  const MetricsPage shown = ShownMetrics(text);
  const MetricsPage documented = DocumentedMetrics("postgres");
  EXPECT_EQ(shown.families, documented.families);
  for (const auto& [name, labels] : shown.labels) {
    if (labels.empty()) continue;
    EXPECT_EQ(labels, documented.labels.at(name)) << name;
  }
  for (const char* series : {"holdfast_server_connections{backend=\"local\",state=\"idle_in_transaction\"}",
                             "holdfast_server_database_bytes{backend=\"local\"}",
                             "holdfast_server_dead_rows{backend=\"local\",table=\"entries\"}",
                             "holdfast_server_live_rows{backend=\"local\",table=\"entries\"}",
                             "holdfast_server_table_bytes{backend=\"local\",table=\"monitoring_samples\"}",
                             "holdfast_server_waiting_locks{backend=\"local\"}",
                             "holdfast_replication_lag_bytes{backend=\"local\",replica=\"replica_1\"}"}) {
    EXPECT_NE(text.find(series), std::string::npos) << series;
  }
  // The days of a table are one table.
  EXPECT_EQ(text.find("table=\"monitoring_samples_"), std::string::npos);
}

TEST_F(PostgresServiceTest, postgres_eventual_reads_go_to_a_replica_and_are_counted) {
  const auto primary = postgres_servers::Server::Start().value();
  Process::Options migrate;
  migrate.words = {"migrate", "up"};
  migrate.environment = {{"HOLDFAST_MIGRATION_URL", primary->Url()}};
  ASSERT_EQ(RunHoldfast(migrate).exit_code, 0);
  const auto replica = postgres_servers::Server::StartReplica(*primary).value();
  const std::string lag =
      fmt::format("holdfast_replica_lag_seconds{{backend=\"local\",replica=\"127.0.0.1:{}\"}} 0", replica->port());
  Service service(first_folder_, fmt::format("postgres, url: \"{}\", pool_max: 4, replica_urls: [\"{}\"], "
                                             "max_replication_lag: 60s",
                                             primary->Url(), replica->Url()));
  const auto await = [&](const std::string& line) {
    return Eventually([&] { return service.Admin("/metrics").body.find(line) != std::string::npos; });
  };
  const auto first = service.Send("PUT", kKey + "a", {}, "1");
  ASSERT_EQ(first.status, 201);
  ASSERT_TRUE(await("holdfast_replicas{backend=\"local\",state=\"in_rotation\"} 1"));
  EXPECT_TRUE(await(lag));
  ASSERT_TRUE(replica->CatchUp(*primary).ok());
  ASSERT_TRUE(replica->Connect()->Execute("SELECT pg_wal_replay_pause()").ok());
  const auto second = service.Send("PUT", kKey + "a", {}, "2");
  ASSERT_EQ(second.status, 204);
  const std::string tag = second.headers.at("etag");
  const std::string version = tag.substr(1, tag.size() - 2);
  EXPECT_EQ(service.Send("GET", kKey + "a?consistency=eventual").body, "1");
  EXPECT_EQ(service.Send("GET", kKey + "a").body, "2");
  EXPECT_EQ(service.Send("GET", kKey + "a?consistency=eventual&min_version=" + version).body, "2");
  const std::string list = "/v1/stores/main/keys?values=true";
  EXPECT_EQ(service.Json("GET", list + "&consistency=eventual").at("items").at(0).at("value"), "1");
  EXPECT_EQ(service.Json("GET", list).at("items").at(0).at("value"), "2");
  EXPECT_TRUE(await("holdfast_reads_total{backend=\"local\",target=\"replica\"} 2"));
  EXPECT_EQ(service.process().Errors().find(postgres_servers::kPassword), std::string::npos);
}

TEST_F(PostgresServiceTest, postgres_instances_hear_of_each_others_changes) {
  Migrate();
  Service first = Start(first_folder_);
  Service second = Start(second_folder_);
  EXPECT_EQ(first.Send("PUT", kKey + "a", {}, "1").status, 201);
  EXPECT_EQ(second.Send("GET", kKey + "a").body, "1");
  // A watch at one instance hears of a write at the other.
  std::string told;
  std::thread watch([&] { told = second.Send("GET", "/v1/stores/main/watch?prefix=w&wait=20s").body; });
  ASSERT_TRUE(Eventually([&] {
    return second.Admin("/metrics").body.find("holdfast_watch_subscribers{store=\"main\"} 1") != std::string::npos;
  }));
  EXPECT_EQ(first.Send("PUT", kKey + "w", {}, "seen").status, 201);
  watch.join();
  EXPECT_NE(told.find("\"w\""), std::string::npos) << told;
}

TEST_F(PostgresServiceTest, postgres_a_lock_released_at_one_instance_is_granted_at_another) {
  Migrate();
  Service first = Start(first_folder_);
  Service second = Start(second_folder_);
  const std::string lease = first.Json("POST", kLock, R"({"owner":"one","ttl":"1h"})").at("lease");
  http::ClientResponse granted;
  std::thread waiter([&] { granted = second.Send("POST", kLock, {}, R"({"owner":"two","ttl":"1h","wait":"20s"})"); });
  ASSERT_TRUE(Eventually([&] {
    return second.Admin("/metrics").body.find("holdfast_locks_waiting{store=\"main\"} 1") != std::string::npos;
  }));
  EXPECT_EQ(first.Send("DELETE", kLock + "?lease=" + lease).status, 204);
  waiter.join();
  EXPECT_EQ(granted.status, 201) << granted.body;
}

}  // namespace
}  // namespace holdfast
