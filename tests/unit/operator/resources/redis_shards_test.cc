#include <set>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "operator/resources/redis.h"
#include "tests/unit/operator/resources/find.h"
#include "tests/unit/operator/resources/redis_script_bench.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

api::StorageCluster Cluster(std::int64_t shards = 3) {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  api::RedisBackend redis{.storage_size = "4Gi", .max_memory = "1Gi", .eviction_policy = "noeviction"};
  redis.shards = api::RedisShards{.count = shards};
  redis.instances = shards * 2;
  cluster.spec.backends = {{"cache", redis}};
  cluster.spec.stores = {{"main", "cache", std::nullopt}};
  cluster.spec.default_store = "main";
  return cluster;
}

api::RedisBackend& Redis(api::StorageCluster& cluster) {
  return std::get<api::RedisBackend>(cluster.spec.backends[0].kind);
}

TEST(RedisShards, MakesEveryObjectInTheOrderOfApplying) {
  std::vector<std::string> names;
  for (const DesiredObject& object : BuildObjects(Cluster(), {"holdfast:test"})) {
    names.push_back(object.kind.kind + "/" + object.key().name);
  }
  EXPECT_THAT(names, ElementsAre("ServiceAccount/demo", "ConfigMap/demo-cache-settings", "Service/demo-cache-pods",
                                 "Service/demo-cache", "NetworkPolicy/demo-cache", "PodDisruptionBudget/demo-cache",
                                 "StatefulSet/demo-cache", "ConfigMap/demo-config", "Service/demo",
                                 "PodDisruptionBudget/demo", "Deployment/demo"));
}

TEST(RedisShards, ServersAreAClusterOverTls) {
  api::StorageCluster cluster = Cluster();
  Redis(cluster).shards->node_timeout_milliseconds = 2'500;
  Redis(cluster).shards->min_replicas_to_write = 1;
  EXPECT_THAT(ShardFiles(Redis(cluster)).at("redis.conf").get<std::string>(),
              AllOf(HasSubstr("\ncluster-enabled yes\n"), HasSubstr("\ntls-cluster yes\n"),
                    HasSubstr("\ntls-replication yes\n"), HasSubstr("\ncluster-node-timeout 2500\n"),
                    HasSubstr("\ncluster-require-full-coverage no\n"), HasSubstr("\nmin-replicas-to-write 1\n"),
                    HasSubstr("\ncluster-preferred-endpoint-type hostname\n"), HasSubstr("\nappendonly yes\n")));
  Redis(cluster).shards.reset();
  EXPECT_THAT(RedisFiles(Redis(cluster)).at("redis.conf").get<std::string>(), Not(HasSubstr("cluster-")));
}

TEST(RedisShards, OnlyTheServersReachTheBus) {
  const Json spec = Find(Cluster(), "NetworkPolicy", "demo-cache").at("spec");
  std::vector<std::string> who;
  for (const Json& rule : spec.at("ingress")) {
    who.push_back(std::to_string(rule.at("ports").at(0).at("port").get<int>()) + " " +
                  rule.at("from").at(0).at("podSelector").at("matchLabels").dump());
  }
  EXPECT_THAT(who, ElementsAre(R"(6379 {"storage.holdfast.dev/cluster":"demo"})",
                               R"(16379 {"storage.holdfast.dev/backend":"cache","storage.holdfast.dev/cluster":"demo",)"
                               R"("storage.holdfast.dev/role":"redis"})",
                               R"(6379 {"app.kubernetes.io/name":"holdfast-operator"})"));
}

TEST(RedisShards, TheServiceIsToldOfServersThatThereAreAlways) {
  api::StorageCluster cluster = Cluster(5);
  Redis(cluster).shards->by_namespace = true;
  const Json map = Find(cluster, "ConfigMap", "demo-config");
  const auto documents = config::ParseYamlDocuments(map.at("data").at("holdfast.yaml").get<std::string>(), "settings");
  ASSERT_TRUE(documents.ok());
  const Json expected = {{"type", "redis"},
                         {"url",
                          "rediss+cluster://demo-cache.prod.svc:6379,demo-cache-0.demo-cache-pods.prod.svc:6379,"
                          "demo-cache-1.demo-cache-pods.prod.svc:6379,demo-cache-2.demo-cache-pods.prod.svc:6379/"},
                         {"username", "holdfast"},
                         {"password_file", "/etc/holdfast-backends/cache/credentials/application-password"},
                         {"cluster_partitions", 16},
                         {"cluster_spread", "namespace"},
                         {"tls_ca", "/etc/holdfast-backends/cache/tls/ca.crt"},
                         {"key_prefix", "holdfast:"}};
  EXPECT_EQ(documents->front().at("backends").at("cache"), expected);
}

TEST(RedisShards, UsersAreHashesAndEachMayWhatItNeeds) {
  const std::string users = RedisUsersOfShards({{"app-word"}, {"replica-word"}, {}, {"keeper-word"}});
  EXPECT_THAT(users, Not(HasSubstr("-word")));
  const std::string alone = RedisUsers({{"app-word"}, {}, {}, {"keeper-word"}});
  EXPECT_THAT(users, HasSubstr(alone.substr(0, alone.find("user keeper")))) << "as a server by itself has it";
  EXPECT_THAT(users, HasSubstr("-@all +psync +replconf +ping\n"));
  EXPECT_THAT(
      users,
      HasSubstr("-@all +info +cluster +config|set +migrate +select +restore-asking +restore +ping +acl|setuser "));
}

TEST(RedisShards, APodMountsTheCredentialsThatItsScriptsReadAndIsSpread) {
  const Json pod = Find(Cluster(), "StatefulSet", "demo-cache").at("/spec/template/spec"_json_pointer);
  std::set<std::string> found;
  for (const Json& volume : pod.at("volumes")) {
    if (volume.at("name") != "credentials") continue;
    for (const Json& item : volume.at("secret").at("items")) found.insert(item.at("key").get<std::string>());
  }
  EXPECT_THAT(found, ElementsAre("keeper-password", "replication-password", "users.acl"));
  EXPECT_EQ(pod.at("topologySpreadConstraints").at(0).at("topologyKey"), "kubernetes.io/hostname");
  EXPECT_TRUE(pod.at("affinity").contains("podAntiAffinity"));
  EXPECT_EQ(pod.at("/containers/0/ports/1/containerPort"_json_pointer), 16379);
}

TEST(RedisShards, OneShardMoreRestartsNoServer) {
  static const Json::json_pointer templates("/spec/template");
  const Json before = Find(Cluster(3), "StatefulSet", "demo-cache");
  const Json after = Find(Cluster(4), "StatefulSet", "demo-cache");
  EXPECT_EQ(before.at("spec").at("replicas"), 6);
  EXPECT_EQ(after.at("spec").at("replicas"), 8);
  EXPECT_EQ(after.at(templates), before.at(templates));
}

// The scripts of a server, run by the machine's own sh.
class ShardScriptTest : public RedisScriptBench {
 protected:
  ShardScriptTest() {
    const Json files = ShardFiles(Redis(cluster_));
    for (const auto& [name, text] : files.items()) Write("config/" + name, text.get<std::string>());
  }
  void Volume(bool place, bool data) const {
    if (place) Write("data/nodes.conf", "a");
    if (data) std::filesystem::create_directories(folder_ / "data" / "appendonlydir");
  }
  std::string Start() {
    // The bench gives a script no more than what servers with sentinels need.
    Write("config/run.sh",
          "SERVERS_DOMAIN=demo-cache-pods.prod.svc; export SERVERS_DOMAIN; . \"$CONFIG_DIR/start.sh\"");
    return Run("run.sh");
  }
  void Answers(const std::string& question, const std::string& text) const { Write("answers/" + question, text); }

  api::StorageCluster cluster_ = Cluster();
};

TEST_F(ShardScriptTest, AServerIsToldWhoItIs) {
  EXPECT_THAT(Start(), AllOf(HasSubstr("cluster-announce-ip 10.0.0.1\n"),
                             HasSubstr("cluster-announce-hostname demo-cache-0.demo-cache-pods.prod.svc\n"),
                             HasSubstr("masterauth word-of-replication-password\n")));
  Volume(true, true);
  EXPECT_THAT(Start(), HasSubstr("cluster-announce-ip"));
  EXPECT_TRUE(Exists("data/nodes.conf"));
}

TEST_F(ShardScriptTest, AVolumeThatLostItsDataGivesItsPlaceUp) {
  Volume(true, false);
  EXPECT_THAT(Start(), HasSubstr("cluster-announce-ip"));
  EXPECT_FALSE(Exists("data/nodes.conf")) << "it would be a master of nothing, which its replicas copy";
  EXPECT_THAT(said_, HasSubstr("gives up"));
}

TEST_F(ShardScriptTest, DataOfWhichNobodyKnowsWhoseTheyAreWaitForAPerson) {
  Volume(false, true);
  EXPECT_EQ(Start(), "");
  EXPECT_THAT(said_, HasSubstr("no nodes.conf"));
  EXPECT_TRUE(Exists("data/appendonlydir"));
}

TEST_F(ShardScriptTest, AMasterIsReadyWithSlotsAndAMajorityAReplicaInStep) {
  Write("run/redis.conf", "");
  const std::string mine = "a 10.0.0.1:6379@16379,x myself,master - 0 0 1 connected";
  const std::string others = "b 10.0.0.2:6379@16379,y master - 0 0 2 connected 0-5460\n";
  const auto ready = [&](const std::string& replication, const std::string& state, const std::string& nodes) {
    Answers("10.0.0.1 info replication", replication);
    Answers("self cluster info", "cluster_state:" + state);
    Answers("self cluster nodes", nodes);
    Write("config/probe.sh", "sh \"$CONFIG_DIR/probe-server.sh\" ready && echo yes");
    Execute("probe.sh", "demo-cache-0", "");
    return said_ == "yes\n";
  };
  EXPECT_TRUE(ready("role:master", "ok", mine + " 5461-6000\n" + others));
  EXPECT_FALSE(ready("role:master", "ok", mine + "\n" + others)) << "it has no slots";
  EXPECT_FALSE(ready("role:master", "fail", mine + " 5461-6000\n" + others));
  EXPECT_TRUE(ready("role:slave\r\nmaster_link_status:up", "ok", ""));
  EXPECT_FALSE(ready("role:slave\r\nmaster_link_status:down", "ok", ""));
  EXPECT_FALSE(ready("", "ok", ""));
}

}  // namespace
}  // namespace holdfast::resources
