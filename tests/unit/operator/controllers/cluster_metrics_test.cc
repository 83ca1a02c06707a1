#include "operator/controllers/storagecluster/cluster_metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::storagecluster {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::Not;

// One cluster, "demo" in "prod".
class OneCluster : public kube::Lister {
 public:
  Json object = {{"metadata", {{"name", "demo"}, {"namespace", "prod"}}}};

  kube::ObjectPtr Get(const kube::ObjectKey&) const override { return std::make_shared<const Json>(object); }
  std::vector<kube::ObjectPtr> List(const std::string&) const override {
    return {std::make_shared<const Json>(object)};
  }
};

class ClusterMetricsTest : public ::testing::Test {
 protected:
  ClusterMetricsTest() { AddClusterMetrics(registry_, listers_); }
  std::string Page() { return registry_.Serialize(); }

  OneCluster cluster_;
  std::shared_ptr<const ClusterListers> listers_ = std::make_shared<const ClusterListers>(ClusterListers{&cluster_});
  metrics::Registry registry_;
};

constexpr char kFailover[] = "holdfast_cluster_failover_in_progress{cluster=\"demo\",namespace=\"prod\"} ";

TEST_F(ClusterMetricsTest, AFailoverIsInProgressUntilItIsDone) {
  EXPECT_THAT(Page(), HasSubstr(std::string(kFailover) + "0"));
  cluster_.object["status"]["failover"] = Json::array({{{"backend", "a"}}, {{"backend", "b"}, {"step", "Done"}}});
  EXPECT_THAT(Page(), HasSubstr(std::string(kFailover) + "0"));
  for (const char* step : {"Fencing", "Promoting", "Switching", "Waiting", "Refused"}) {
    cluster_.object["status"]["failover"][0]["step"] = step;
    EXPECT_THAT(Page(), HasSubstr(std::string(kFailover) + "1")) << step;
  }
  cluster_.object["status"]["failover"] = "damaged";
  EXPECT_THAT(Page(), HasSubstr(std::string(kFailover) + "0"));
}

TEST_F(ClusterMetricsTest, RedisWithSentinelsIsAsTheStatusSays) {
  const auto sample = [](const char* name, const char* value) {
    return std::string(name) + R"({backend="cache",cluster="demo",namespace="prod"} )" + value;
  };
  EXPECT_THAT(Page(), Not(HasSubstr("holdfast_redis_has_master{")));
  Json& backend = cluster_.object["status"]["redis"][0];
  backend = {{"backend", "cache"}, {"state", "Serving"}, {"replicas", 2}, {"replicasInStep", 1}};
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_has_master", "1")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_failover_in_progress", "0")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_replicas", "2")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_replicas_in_step", "1")));
  backend["state"] = "FailingOver";
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_has_master", "0")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_failover_in_progress", "1")));
  cluster_.object["status"]["redis"] = "damaged";
  EXPECT_THAT(Page(), Not(HasSubstr("holdfast_redis_has_master{")));
}

TEST_F(ClusterMetricsTest, RedisWithShardsIsAsTheStatusSays) {
  const auto sample = [](const char* name, const char* value) {
    return std::string(name) + R"({backend="cache",cluster="demo",namespace="prod"} )" + value;
  };
  cluster_.object["status"]["redis"][0] = {{"backend", "cache"},  {"state", "ShardLost"},  {"replicas", 3},
                                           {"replicasInStep", 2}, {"slotsCovered", 10923}, {"shards", Json::array()}};
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_slots_served", "10923")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_failover_in_progress", "0")));
  EXPECT_THAT(Page(), HasSubstr(sample("holdfast_redis_replicas_in_step", "2")));
  EXPECT_THAT(Page(), Not(HasSubstr("holdfast_redis_has_master{"))) << "there are several";
}

TEST_F(ClusterMetricsTest, BackupsAreAsTheStatusSays) {
  EXPECT_THAT(Page(), Not(HasSubstr("holdfast_postgres_backup_failures{")));
  cluster_.object["status"]["backups"] = Json::array({{{"backend", "db"},
                                                       {"lastFull", "1970-01-01T01:00:00Z"},
                                                       {"failures", 2},
                                                       {"archiveFailures", 7},
                                                       {"archiveWaiting", 3},
                                                       {"bytes", 4096}}});
  const std::string page = Page();
  const std::string labels = R"({backend="db",cluster="demo",namespace="prod")";
  EXPECT_THAT(page, HasSubstr("holdfast_postgres_backup_failures" + labels + "} 2"));
  EXPECT_THAT(page, HasSubstr("holdfast_postgres_archive_failures" + labels + "} 7"));
  EXPECT_THAT(page, HasSubstr("holdfast_postgres_archive_waiting_segments" + labels + "} 3"));
  EXPECT_THAT(page, HasSubstr("holdfast_postgres_backup_repository_bytes" + labels + "} 4096"));
  EXPECT_THAT(page, HasSubstr("holdfast_postgres_backup_last_timestamp_seconds" + labels + R"(,type="full"} 3600)"));
  EXPECT_THAT(page, Not(HasSubstr(R"(type="differential"})")));
  cluster_.object["status"]["backups"] = "damaged";
  EXPECT_THAT(Page(), Not(HasSubstr("holdfast_postgres_backup_failures{")));
}

TEST_F(ClusterMetricsTest, VolumesAreThoseTheSpecAsksFor) {
  const auto info = [](const std::string& claim) {
    std::string line = "holdfast_cluster_volume_info{cluster=\"demo\",namespace=\"prod\",persistentvolumeclaim=\"";
    return line.append(claim).append("\"} 1");
  };
  cluster_.object["spec"]["backends"] = Json::parse(R"([
    {"name": "local", "embedded": {}}, {"name": "more", "embedded": {}}, {"name": "hot", "memory": {}},
    {"name": "db", "postgres": {"instances": 2, "backup": {"storage": {}}}},
    {"name": "far", "postgres": {"backup": {"s3": {}}}}, {"name": "other", "postgres": {"external": {}}},
    {"name": "cache", "redis": {"storage": {}}}, {"name": "shared", "redis": {"external": {}}}])");
  const std::string page = Page();
  EXPECT_THAT(page, HasSubstr(info("data-demo-0")));
  EXPECT_THAT(page, HasSubstr(info("pgdata-demo-db-0")));
  EXPECT_THAT(page, HasSubstr(info("pgdata-demo-db-1")));
  EXPECT_THAT(page, HasSubstr(info("repository-demo-db-backup-0")));
  EXPECT_THAT(page, Not(HasSubstr("repository-demo-far")));
  EXPECT_THAT(page, Not(HasSubstr("pgdata-demo-db-2")));
  EXPECT_THAT(page, Not(HasSubstr("pgdata-demo-other")));
  EXPECT_THAT(page, HasSubstr(info("redisdata-demo-cache-0")));
  EXPECT_THAT(page, Not(HasSubstr("demo-shared")));
  // As many as there are when the spec does not say, and a bounded number whatever it says.
  cluster_.object["spec"]["backends"] = Json::parse(R"([{"name": "db", "postgres": {}}])");
  EXPECT_THAT(Page(), HasSubstr(info("pgdata-demo-db-2")));
  cluster_.object["spec"]["backends"][0]["postgres"]["instances"] = 1'000'000'000;
  EXPECT_THAT(Page(), Not(HasSubstr("pgdata-demo-db-9")));
  cluster_.object["spec"]["backends"] =
      Json::parse(R"([{"name": "cache", "redis": {"mode": "Sentinel", "instances": 4, "storage": {}}}])");
  EXPECT_THAT(Page(), HasSubstr(info("redisdata-demo-cache-3")));
  EXPECT_THAT(Page(), Not(HasSubstr("redisdata-demo-cache-4")));
  EXPECT_THAT(Page(), HasSubstr(info("sentineldata-demo-cache-sentinel-2")));
  cluster_.object["spec"]["backends"] =
      Json::parse(R"([{"name": "cache", "redis": {"mode": "Cluster", "replicasPerShard": 2, "storage": {}}}])");
  EXPECT_THAT(Page(), HasSubstr(info("redisdata-demo-cache-8")));
  EXPECT_THAT(Page(), Not(HasSubstr("redisdata-demo-cache-9")));
}

}  // namespace
}  // namespace holdfast::storagecluster
