#include <algorithm>
#include <set>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

api::StorageCluster Cluster() {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  api::RedisBackend redis{.storage_size = "4Gi", .max_memory = "1Gi", .eviction_policy = "noeviction"};
  redis.instances = 2;
  redis.sentinel = api::RedisSentinel{};
  cluster.spec.backends = {{"cache", redis}};
  cluster.spec.stores = {{"main", "cache", std::nullopt}};
  cluster.spec.default_store = "main";
  return cluster;
}

api::RedisBackend& Redis(api::StorageCluster& cluster) {
  return std::get<api::RedisBackend>(cluster.spec.backends[0].kind);
}

std::string File(const api::StorageCluster& cluster, const char* name) {
  return SentinelFiles(cluster, cluster.spec.backends[0], 2).at(name).get<std::string>();
}

TEST(RedisSentinel, MakesEveryObjectInTheOrderOfApplying) {
  std::vector<std::string> names;
  for (const DesiredObject& object : BuildObjects(Cluster(), {"holdfast:test"})) {
    names.push_back(object.kind.kind + "/" + object.key().name);
  }
  const std::vector<std::string> expected = {"ServiceAccount/demo",
                                             "ConfigMap/demo-cache-settings",
                                             "Service/demo-cache-pods",
                                             "Service/demo-cache-0",
                                             "Service/demo-cache-1",
                                             "Service/demo-cache-sentinel-pods",
                                             "Service/demo-cache-sentinel-0",
                                             "Service/demo-cache-sentinel-1",
                                             "Service/demo-cache-sentinel-2",
                                             "Service/demo-cache-sentinel",
                                             "NetworkPolicy/demo-cache",
                                             "PodDisruptionBudget/demo-cache",
                                             "NetworkPolicy/demo-cache-sentinel",
                                             "PodDisruptionBudget/demo-cache-sentinel",
                                             "StatefulSet/demo-cache-sentinel",
                                             "StatefulSet/demo-cache",
                                             "ConfigMap/demo-config",
                                             "Service/demo",
                                             "PodDisruptionBudget/demo",
                                             "Deployment/demo"};
  EXPECT_EQ(names, expected);
  EXPECT_THAT(SecretNames(Cluster()), ElementsAre("demo-ca", "demo-cache-credentials", "demo-cache-tls"));
}

// The operator replaces the servers, and has to see how far each of them is.
TEST(RedisSentinel, ServersAreReplacedByTheOperatorWhichReachesThem) {
  EXPECT_EQ(Find(Cluster(), "StatefulSet", "demo-cache").at("spec").at("updateStrategy").at("type"), "OnDelete");
  EXPECT_EQ(Find(Cluster(), "StatefulSet", "demo-cache-sentinel").at("spec").at("updateStrategy").at("type"),
            "RollingUpdate");
  for (const char* name : {"demo-cache", "demo-cache-sentinel"}) {
    const Json from = Find(Cluster(), "NetworkPolicy", name).at("/spec/ingress/0/from"_json_pointer);
    EXPECT_EQ(from.size(), 2U) << "its own pods and the operator's";
    EXPECT_EQ(from.at(1).at("/podSelector/matchLabels/app.kubernetes.io~1name"_json_pointer), "holdfast-operator");
  }
}

TEST(RedisSentinel, EachServerAndSentinelIsReachedAtAnAddressThatStaysWhenItsPodGoes) {
  const Json service = Find(Cluster(), "Service", "demo-cache-1").at("spec");
  EXPECT_EQ(service.at("type"), "ClusterIP");
  EXPECT_EQ(service.at("publishNotReadyAddresses"), true);
  EXPECT_EQ(service.at("selector").at("statefulset.kubernetes.io/pod-name"), "demo-cache-1");
  EXPECT_EQ(File(Cluster(), "servers"), "demo-cache-0.prod.svc\ndemo-cache-1.prod.svc\n");
  EXPECT_EQ(File(Cluster(), "sentinels"),
            "demo-cache-sentinel-0.prod.svc\ndemo-cache-sentinel-1.prod.svc\ndemo-cache-sentinel-2.prod.svc\n");
}

TEST(RedisSentinel, ServersRefuseWritesWithoutReplicasAndReplicateOverTls) {
  api::StorageCluster cluster = Cluster();
  Redis(cluster).sentinel->max_lag_seconds = 7;
  EXPECT_THAT(File(cluster, "redis.conf"),
              AllOf(HasSubstr("\ntls-replication yes\n"), HasSubstr("\nmin-replicas-to-write 1\n"),
                    HasSubstr("\nmin-replicas-max-lag 7\n"), HasSubstr("\nappendonly yes\n")));
  Redis(cluster).sentinel.reset();
  EXPECT_THAT(RedisFiles(Redis(cluster)).at("redis.conf").get<std::string>(), Not(HasSubstr("min-replicas")));
}

TEST(RedisSentinel, SentinelsKnowEachOtherByNameAndHaveTheTimesOfTheSpec) {
  api::StorageCluster cluster = Cluster();
  Redis(cluster).sentinel->down_after_milliseconds = 2'500;
  Redis(cluster).sentinel->sentinels = 5;
  EXPECT_THAT(File(cluster, "sentinel.conf"),
              AllOf(HasSubstr("\nsentinel resolve-hostnames yes\n"), HasSubstr("\nsentinel announce-hostnames yes\n"),
                    HasSubstr("\nsentinel down-after-milliseconds main 2500\n"),
                    HasSubstr("\nsentinel failover-timeout main 60000\n"), HasSubstr("\ntls-replication yes\n")));
  const Json environment =
      Find(cluster, "StatefulSet", "demo-cache-sentinel").at("/spec/template/spec/containers/0/env"_json_pointer);
  const bool majority = std::any_of(environment.begin(), environment.end(), [](const Json& variable) {
    return variable == Json{{"name", "QUORUM"}, {"value", "3"}};
  });
  EXPECT_TRUE(majority) << environment;
}

TEST(RedisSentinel, TheServiceAsksTheSentinelsWithItsOwnPassword) {
  const Json map = Find(Cluster(), "ConfigMap", "demo-config");
  const auto documents = config::ParseYamlDocuments(map.at("data").at("holdfast.yaml").get<std::string>(), "settings");
  ASSERT_TRUE(documents.ok());
  const Json expected = {{"type", "redis"},
                         {"url",
                          "rediss+sentinel://demo-cache-sentinel-0.prod.svc:26379,demo-cache-sentinel-1.prod.svc:26379,"
                          "demo-cache-sentinel-2.prod.svc:26379/main/0"},
                         {"username", "holdfast"},
                         {"password_file", "/etc/holdfast-backends/cache/credentials/application-password"},
                         {"sentinel_username", "holdfast"},
                         {"sentinel_password_file", "/etc/holdfast-backends/cache/credentials/application-password"},
                         {"tls_ca", "/etc/holdfast-backends/cache/tls/ca.crt"},
                         {"key_prefix", "holdfast:"}};
  EXPECT_EQ(documents->front().at("backends").at("cache"), expected);
}

TEST(RedisSentinel, UsersAreHashesAndEachMayWhatItNeeds) {
  const RedisPasswords passwords{{"app-word"}, {"replica-word"}, {"sentinel-word"}, {"keeper-word"}};
  const std::string servers = RedisUsersWithSentinels(passwords);
  const std::string sentinels = SentinelUsers(passwords);
  for (const std::string& users : {servers, sentinels}) EXPECT_THAT(users, Not(HasSubstr("-word")));
  const std::string alone = RedisUsers({{"app-word"}, {}, {}, {"keeper-word"}});
  const auto common = alone.find("user keeper");
  EXPECT_THAT(servers, HasSubstr(alone.substr(0, common))) << "as a server without sentinels has it";
  EXPECT_THAT(servers, HasSubstr("-@all +psync +replconf +ping\n"));
  EXPECT_THAT(servers, HasSubstr("-@all +info +config|set +replicaof +ping +acl|setuser +acl|deluser +acl|users\n"));
  EXPECT_EQ(sentinels.substr(0, sentinels.find('\n')), "user default off -@all");
  EXPECT_THAT(sentinels, AllOf(HasSubstr("+sentinel|get-master-addr-by-name\n"),
                               HasSubstr("-@all +ping +sentinel|master +sentinel|replicas "
                                         "+sentinel|failover +sentinel|reset +acl|users\n")));
}

TEST(RedisSentinel, APodMountsTheCredentialsThatItsScriptsRead) {
  const auto keys = [](const char* set) {
    std::set<std::string> found;
    const Json volumes = Find(Cluster(), "StatefulSet", set).at("/spec/template/spec/volumes"_json_pointer);
    for (const Json& volume : volumes) {
      if (volume.at("name") != "credentials") continue;
      for (const Json& item : volume.at("secret").at("items")) found.insert(item.at("key").get<std::string>());
    }
    return found;
  };
  EXPECT_THAT(keys("demo-cache"), ElementsAre("initialized", "keeper-password", "replication-password", "users.acl"));
  EXPECT_THAT(keys("demo-cache-sentinel"), ElementsAre("initialized", "sentinel-password", "sentinel-users.acl"));
}

TEST(RedisSentinel, OneServerMoreRestartsNone) {
  static const Json::json_pointer templates("/spec/template");
  api::StorageCluster cluster = Cluster();
  const Json before = Find(cluster, "StatefulSet", "demo-cache");
  Redis(cluster).instances = 3;
  const Json after = Find(cluster, "StatefulSet", "demo-cache");
  EXPECT_EQ(after.at("spec").at("replicas"), 3);
  EXPECT_EQ(after.at(templates), before.at(templates));
  Redis(cluster).max_memory = "2Gi";
  EXPECT_NE(Find(cluster, "StatefulSet", "demo-cache").at(templates), before.at(templates));
}

TEST(RedisSentinel, ServersAndSentinelsHaveVolumes) {
  std::vector<std::string> sets;
  for (const VolumeSet& set : VolumeSets(Cluster())) {
    sets.push_back(set.claim_prefix + " " + set.size + " " + std::to_string(set.pods) + " " + set.role);
  }
  EXPECT_THAT(sets, ::testing::UnorderedElementsAre("redisdata-demo-cache- 4Gi 2 redis",
                                                    "sentineldata-demo-cache-sentinel- 64Mi 3 sentinel"));
  api::StorageCluster cluster = Cluster();
  cluster.hibernated = true;
  for (const char* set : {"demo-cache", "demo-cache-sentinel"}) {
    EXPECT_EQ(Find(cluster, "StatefulSet", set).at("spec").at("replicas"), 0) << set;
  }
}

}  // namespace
}  // namespace holdfast::resources
