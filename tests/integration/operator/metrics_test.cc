// The names, types and labels of the operator's metrics are a contract: docs/operator-metrics.md says exactly what a
// running operator shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/integration/operator/operator_process.h"
#include "tests/waiting/eventually.h"

namespace holdfast {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Family {
  std::string type;
  std::set<std::string> labels;
  friend bool operator==(const Family&, const Family&) = default;
};
using Families = std::map<std::string, Family>;

void PrintTo(const Family& family, std::ostream* out) {
  *out << family.type;
  for (const std::string& label : family.labels) *out << " " << label;
}

std::set<std::string> AllMatches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), pattern); at != std::sregex_iterator(); ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

Families Shown(const std::string& page) {
  const std::regex type("# TYPE ([a-z_]+) ([a-z]+)");
  const std::regex label("([a-z]+)=\"");
  Families families;
  std::istringstream lines(page);
  Family* family = nullptr;
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, type)) {
      family = &families[match[1]];
      family->type = match[2];
    } else if (!line.starts_with('#') && family != nullptr) {
      family->labels.merge(AllMatches(line, label));
      family->labels.erase("le");
    }
  }
  return families;
}

Families Documented() {
  const std::regex row(R"(\| `([a-z_]+)` \| ([a-z]+) \|([^|]*)\|.*)");
  const std::regex word("`([a-z]+)`");
  Families families;
  std::ifstream page(HOLDFAST_DOCS "/operator-metrics.md");
  for (std::string line; std::getline(page, line);) {
    std::smatch match;
    if (std::regex_match(line, match, row)) families[match[1]] = {match[2], AllMatches(match[3], word)};
  }
  return families;
}

TEST(OperatorMetrics, AreTheDocumentedOnesAndGoWithTheirCluster) {
  ApiDouble api;
  api.CreateCluster("prod", "demo");
  api.CreateCluster("prod", "other");
  const OperatorProcess running(api.url(), {"--leader-elect-namespace=prod"});
  // The status that the operator has written comes back to it through its watch.
  const char* ready =
      R"(holdfast_cluster_condition{cluster="demo",condition="Ready",namespace="prod",status="false"} 1)";
  ASSERT_TRUE(Eventually([&] { return running.Admin("/metrics").find(ready) != std::string::npos; }))
      << running.Log() << running.Admin("/metrics");
  // As if it had Redis backends with sentinels and with shards, and backups of PostgreSQL: the status is where those
  // figures come from.
  const nlohmann::json redis = {{"backend", "cache"}, {"state", "Serving"}, {"replicas", 2}, {"replicasInStep", 2}};
  nlohmann::json sharded = redis;
  const nlohmann::json backups = {{"backend", "db"},      {"lastFull", "2026-11-22T01:30:00Z"},
                                  {"failures", 0},        {"bytes", 4096},
                                  {"archiveFailures", 0}, {"archiveWaiting", 1}};
  sharded.update({{"backend", "shared"}, {"slotsCovered", 16384}, {"shards", nlohmann::json::array()}});
  api.Call(
      "PATCH", "/apis/storage.holdfast.dev/v1/namespaces/prod/storageclusters/demo/status",
      {{"status", {{"redis", nlohmann::json::array({redis, sharded})}, {"backups", nlohmann::json::array({backups})}}}},
      "application/merge-patch+json");
  // The other one has a schedule of backups, of which one succeeded.
  const nlohmann::json schedule = {{"name", "nightly"}, {"store", "main"}, {"schedule", "0 3 * * *"}};
  const nlohmann::json scheduled = {{"name", "nightly"}, {"lastSuccessfulTime", "2026-11-22T03:05:00Z"}};
  api.Call("PATCH", "/apis/storage.holdfast.dev/v1/namespaces/prod/storageclusters/other",
           {{"spec", {{"backups", {{"claimName", "backups"}, {"schedules", nlohmann::json::array({schedule})}}}}}},
           "application/merge-patch+json");
  api.Call("PATCH", "/apis/storage.holdfast.dev/v1/namespaces/prod/storageclusters/other/status",
           {{"status", {{"backupSchedules", nlohmann::json::array({scheduled})}}}}, "application/merge-patch+json");
  // One that is over has a condition, and one that waits the rest.
  const nlohmann::json spec = {{"cluster", "nowhere"}, {"store", "main"}, {"to", "db"}};
  const std::string migrations = "/apis/storage.holdfast.dev/v1/namespaces/prod/storagemigrations";
  for (const char* name : {"waits", "over"}) {
    api.Call("POST", migrations,
             {{"apiVersion", "storage.holdfast.dev/v1"},
              {"kind", "StorageMigration"},
              {"metadata", {{"name", name}}},
              {"spec", spec}});
  }
  api.Call("PATCH", migrations + "/over", {{"spec", {{"abort", true}}}}, "application/merge-patch+json");
  const std::string group = "/apis/storage.holdfast.dev/v1/namespaces/prod/";
  // Their figures stay as long as they do, not as long as a cluster.
  const nlohmann::json store = {{"cluster", "nowhere"}, {"store", "main"}};
  nlohmann::json restored = store;
  restored["backup"] = "made";
  api.Call("POST", group + "storagerestores",
           {{"apiVersion", "storage.holdfast.dev/v1"},
            {"kind", "StorageRestore"},
            {"metadata", {{"name", "back"}}},
            {"spec", restored}});
  api.Call("POST", group + "storagebackups",
           {{"apiVersion", "storage.holdfast.dev/v1"},
            {"kind", "StorageBackup"},
            {"metadata", {{"name", "made"}}},
            {"spec", store}});
  // It has succeeded already, so that the operator leaves it alone.
  const nlohmann::json condition = {{"type", "Complete"},      {"status", "True"},
                                    {"reason", "Succeeded"},   {"message", "done"},
                                    {"observedGeneration", 1}, {"lastTransitionTime", "2026-11-23T06:00:00Z"}};
  api.Call("PATCH", group + "storagebackups/made/status",
           {{"status",
             {{"phase", "Succeeded"},
              {"completedAt", "2026-11-23T06:00:00Z"},
              {"conditions", nlohmann::json::array({condition})}}}},
           "application/merge-patch+json");
  // Some families have their first series with the first retry or the next watch.
  Eventually([&] { return Shown(running.Admin("/metrics")) == Documented(); });
  const std::string page = running.Admin("/metrics");
  EXPECT_EQ(Shown(page), Documented());
  EXPECT_THAT(page, HasSubstr(R"(leader_election_master_status{name="holdfast-operator"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(holdfast_cluster_generation{cluster="demo",namespace="prod"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(holdfast_cluster_replicas{cluster="demo",namespace="prod"} 1)"));
  EXPECT_THAT(page, HasSubstr(R"(status="true"} 0)"));

  api.Call("DELETE", "/apis/storage.holdfast.dev/v1/namespaces/prod/storageclusters/demo");
  EXPECT_TRUE(Eventually([&] {
    const std::string now = running.Admin("/metrics");
    return !now.empty() && now.find("cluster=\"demo\"") == std::string::npos;
  })) << running.Log();
  EXPECT_THAT(running.Admin("/metrics"), HasSubstr("cluster=\"other\""));
}

}  // namespace
}  // namespace holdfast
