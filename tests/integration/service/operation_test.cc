// What operators of the service look at: stores, OpenAPI, health, metrics.
#include <fmt/format.h>
#include <signal.h>

#include <sstream>

#include "tests/integration/service/metrics_page.h"
#include "tests/integration/service/service_fixture.h"

namespace holdfast {
namespace {

class OperationTest : public ServiceTest {};
HOLDFAST_ON_BOTH_BACKENDS(OperationTest);

TEST_P(OperationTest, StoresTellWhatTheyPromise) {
  Service service = Start();
  service.Send("PUT", "/v1/stores/main/keys/k", {}, "v");
  const auto store = service.Json("GET", "/v1/stores/_default");
  EXPECT_EQ(store.at("name"), "main");
  EXPECT_EQ(store.at("kind"), GetParam());
  EXPECT_EQ(store.at("durability"), GetParam() == "rocksdb" ? "sync" : "memory");
  EXPECT_EQ(store.at("capabilities").at("durable_ack"), GetParam() == "rocksdb");
  EXPECT_EQ(store.at("capabilities").at("fencing_survives_failover"), GetParam() == "rocksdb");
  EXPECT_EQ(store.at("health").at("status"), "healthy");
  EXPECT_EQ(store.at("statistics").at("entries"), 1);
  EXPECT_EQ(service.Json("GET", "/v1/stores").at("stores").size(), 1u);
}

TEST_P(OperationTest, OpenApiNamesTheStores) {
  Service service = Start();
  const auto document = service.Json("GET", "/v1/openapi.json");
  EXPECT_EQ(document.at("openapi"), "3.0.3");
  const auto& parameter = document.at("paths").at("/v1/stores/{store}").at("get").at("parameters")[0];
  EXPECT_EQ(parameter.at("schema").at("enum"), (nlohmann::json{"_default", "main"}));
}

TEST_P(OperationTest, HealthOnTheAdminPort) {
  Service service = Start();
  EXPECT_EQ(service.Admin("/livez").status, 200);
  EXPECT_EQ(service.Admin("/readyz").status, 200);
  const auto health = service.Admin("/healthz");
  EXPECT_EQ(health.status, 200);
  const auto report = nlohmann::json::parse(health.body);
  EXPECT_EQ(report.at("status"), "healthy");
  ASSERT_EQ(report.at("backends").size(), 1u);
  EXPECT_EQ(report.at("backends")[0].at("name"), "local");
  EXPECT_EQ(report.at("backends")[0].at("status"), "healthy");
  EXPECT_TRUE(report.at("backends")[0].at("latency_ms").is_number());
  // The one with files tells how full their file system is.
  const auto& volumes = report.at("volumes");
  ASSERT_EQ(volumes.size(), GetParam() == "rocksdb" ? 1u : 0u);
  for (const auto& volume : volumes) {
    EXPECT_EQ(volume.at("backend"), "local");
    EXPECT_GT(volume.at("capacity_bytes"), 0);
    EXPECT_LE(volume.at("available_bytes"), volume.at("capacity_bytes"));
  }
}

TEST_P(OperationTest, TheAccessLogHasALineForEveryRequest) {
  Service service = Start("log: {access: all}\n");
  service.Send("PUT", "/v1/stores/main/keys/a%20b?x=secret", {{"Holdfast-Namespace", "team-a"}}, "hidden");
  service.Send("PUT", "/v1/stores/main/keys/a%20b", {{"Holdfast-Namespace", "team-a"}}, "hidden");
  service.process().Signal(SIGTERM);
  EXPECT_EQ(service.process().Wait(), 0);
  std::vector<nlohmann::json> requests;
  std::istringstream lines(service.process().Errors());
  for (std::string line; std::getline(lines, line);) {
    auto json = nlohmann::json::parse(line);
    if (json.at("message") == "request") requests.push_back(std::move(json));
  }
  ASSERT_GE(requests.size(), 2u);
  const nlohmann::json& refused = requests[requests.size() - 2];
  const nlohmann::json& put = requests.back();
  EXPECT_EQ(refused.at("status"), 400);
  EXPECT_EQ(put.at("status"), 201);
  EXPECT_EQ(put.at("method"), "PUT");
  EXPECT_EQ(put.at("path"), "/v1/stores/main/keys/a%20b");
  EXPECT_EQ(put.at("route"), "/v1/stores/{store}/keys/{key}");
  EXPECT_EQ(put.at("store"), "main");
  EXPECT_EQ(put.at("namespace"), "team-a");
  EXPECT_EQ(put.at("request_bytes"), 6);
  EXPECT_EQ(put.at("trace_id").get<std::string>().size(), 32u);
  EXPECT_THAT(service.process().Errors(), testing::Not(testing::HasSubstr("hidden")));
  EXPECT_THAT(service.process().Errors(), testing::Not(testing::HasSubstr("secret"))) << "queries are not logged";
}

TEST_P(OperationTest, TheAccessLogIsOffUnlessAskedFor) {
  Service service = Start();
  service.Send("GET", "/v1/stores/main/keys/nothing");
  service.process().Signal(SIGTERM);
  EXPECT_EQ(service.process().Wait(), 0);
  EXPECT_THAT(service.process().Errors(), testing::Not(testing::HasSubstr("\"request\"")));
}

// The names, types and labels of every metric are a contract: docs/metrics.md says exactly what a service shows.
TEST_P(OperationTest, MetricsAreTheDocumentedOnes) {
  // With everything on that has metrics of its own.
  const std::string tokens = folder_.Write("tokens.yaml",
                                           "tokens: [{name: writer, token: known, namespace: default}]\n"
                                           "rules: [{principals: [writer], verbs: [write]}]\n");
  const std::string resilience = "breaker: true, retry_attempts: 2, bulkhead_calls: 100, hedge_after: 1s";
  Service service(
      folder_,
      GetParam() + ", " + resilience +
          "}, hot: {type: memory, "
          "max_bytes: 1Mi, eviction: lru}, second: {type: memory}, left: {type: memory}, right: {type: memory}, "
          "one: {type: memory}, two: {type: memory}, three: {type: memory}, kept: {type: memory}, log: {type: memory",
      fmt::format("stores: {{main: {{backend: local, cache: hot, write: behind, write_queue: log, backup_schedule: "
                  "'@daily', resilience: {{{}}}}}, aside: {{backend: "
                  "local, failover: second}}, "
                  "moving: {{backend: left, migrate_to: right}}, several: {{backend: one, replicas: [two, three], "
                  "replica_compare_interval: 1h}}, kept: {{backend: kept, change_archive: true}}}}\n"
                  "default_store: main\ntracing: {{endpoint: "
                  "\"http://127.0.0.1:1\"}}\nbackups: {{directory: backups}}\naudit: {{on: true}}\nauth: {{mode: both, "
                  "tokens_file: {}}}\n",
                  resilience, tokens));
  EXPECT_EQ(service.Send("PUT", "/v1/stores/main/keys/k", {{"Authorization", "Bearer known"}}, "v").status, 201);
  const MetricsPage shown = ShownMetrics(service.Admin("/metrics").body);
  const MetricsPage documented = DocumentedMetrics(GetParam());
  EXPECT_EQ(shown.families, documented.families);
  // Batches are counted only where there is a committer, so a family may have no series yet.
  for (const auto& [name, labels] : shown.labels) {
    if (labels.empty()) continue;
    EXPECT_EQ(labels, documented.labels.at(name)) << name;
  }
}

}  // namespace
}  // namespace holdfast
