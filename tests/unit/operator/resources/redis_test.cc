#include "operator/resources/redis.h"

#include <algorithm>
#include <set>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

api::StorageCluster Cluster() {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  cluster.spec.backends = {
      {"cache", api::RedisBackend{.storage_size = "4Gi", .max_memory = "1Gi", .eviction_policy = "noeviction"}}};
  cluster.spec.stores = {{"main", "cache", std::nullopt}};
  cluster.spec.default_store = "main";
  return cluster;
}

api::RedisBackend& Redis(api::StorageCluster& cluster) {
  return std::get<api::RedisBackend>(cluster.spec.backends[0].kind);
}

Json Container(const api::StorageCluster& cluster, const BuildOptions& options = {"holdfast:test"}) {
  return Find(cluster, "StatefulSet", "demo-cache", options).at("/spec/template/spec/containers/0"_json_pointer);
}

Json ServiceSettings(const api::StorageCluster& cluster) {
  const Json map = Find(cluster, "ConfigMap", "demo-config");
  const auto documents = config::ParseYamlDocuments(map.at("data").at("holdfast.yaml").get<std::string>(), "settings");
  EXPECT_TRUE(documents.ok());
  return documents->front();
}

Json ServiceBackend(const api::StorageCluster& cluster) {
  return ServiceSettings(cluster).at("backends").at("cache");
}

TEST(Redis, MakesEveryObjectInTheOrderOfApplying) {
  std::vector<std::string> names;
  for (const DesiredObject& object : BuildObjects(Cluster(), {"holdfast:test"})) {
    names.push_back(object.kind.kind + "/" + object.key().name);
    EXPECT_EQ(object.object.at("metadata").at("ownerReferences").at(0).at("uid"), "u-1") << names.back();
  }
  const std::vector<std::string> expected = {"ServiceAccount/demo",
                                             "ConfigMap/demo-cache-settings",
                                             "Service/demo-cache-pods",
                                             "Service/demo-cache-primary",
                                             "NetworkPolicy/demo-cache",
                                             "PodDisruptionBudget/demo-cache",
                                             "StatefulSet/demo-cache",
                                             "ConfigMap/demo-config",
                                             "Service/demo",
                                             "PodDisruptionBudget/demo",
                                             "Deployment/demo"};
  EXPECT_EQ(names, expected);
  EXPECT_THAT(SecretNames(Cluster()), ::testing::ElementsAre("demo-ca", "demo-cache-credentials", "demo-cache-tls"));
}

TEST(Redis, TheServerTakesTlsOnlyAndWritesAnAppendOnlyFileUnlessToldOtherwise) {
  api::StorageCluster cluster = Cluster();
  const std::string usual = RedisFiles(Redis(cluster)).at("redis.conf").get<std::string>();
  EXPECT_THAT(usual, AllOf(HasSubstr("\ntls-port 6379\n"), HasSubstr("appendonly yes\n"),
                           HasSubstr("appendfsync everysec\n"), HasSubstr("save \"\"\n"),
                           HasSubstr("maxmemory 1073741824\n"), HasSubstr("maxmemory-policy noeviction\n")));
  EXPECT_EQ(usual.substr(0, 7), "port 0\n");
  Redis(cluster).append_only = false;
  Redis(cluster).fsync = api::RedisFsync::kAlways;
  Redis(cluster).snapshots = true;
  Redis(cluster).eviction_policy = "volatile-lfu";
  EXPECT_THAT(RedisFiles(Redis(cluster)).at("redis.conf").get<std::string>(),
              AllOf(HasSubstr("appendonly no\n"), HasSubstr("appendfsync always\n"),
                    HasSubstr("save 3600 1 300 100 60 10000\n"), HasSubstr("maxmemory-policy volatile-lfu\n")));
}

// Redis 7.0 reads its append-only file as the default user: when that may do nothing, so is what is read.
TEST(Redis, TheUsersAreHashesAndTheDefaultUserIsOffWithAllRights) {
  // printf secret | sha256sum
  const std::string users = RedisUsers({{"secret"}, {}, {}, {"word"}});
  EXPECT_THAT(users, HasSubstr("#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b "));
  EXPECT_THAT(users, Not(HasSubstr("secret")));
  EXPECT_EQ(users.substr(0, users.find('\n')), "user default off ~* &* +@all");
  EXPECT_THAT(users, HasSubstr("\nuser probe on nopass resetkeys resetchannels -@all +ping\n"));
  EXPECT_THAT(users, AllOf(HasSubstr("~holdfast:*"), HasSubstr("-@dangerous")));
}

TEST(Redis, TheServiceReachesItOverTlsWithAPasswordFromAFile) {
  const Json expected = {{"type", "redis"},
                         {"url", "rediss://demo-cache-primary.prod.svc:6379/0"},
                         {"username", "holdfast"},
                         {"password_file", "/etc/holdfast-backends/cache/credentials/application-password"},
                         {"tls_ca", "/etc/holdfast-backends/cache/tls/ca.crt"},
                         {"key_prefix", "holdfast:"}};
  EXPECT_EQ(ServiceBackend(Cluster()), expected);
  // What the Secrets hold beside these stays out of the pod.
  const Json pod = Find(Cluster(), "Deployment", "demo").at("/spec/template/spec"_json_pointer);
  for (const Json& volume : pod.at("volumes")) {
    if (!volume.contains("secret")) continue;
    ASSERT_EQ(volume.at("secret").at("items").size(), 1u);
    EXPECT_THAT(volume.at("secret").at("items").at(0).at("key").get<std::string>(),
                ::testing::AnyOf("application-password", "ca.crt"));
  }
}

TEST(Redis, ADurableStoreMakesItsBackendDurable) {
  api::StorageCluster cluster = Cluster();
  cluster.spec.stores.push_back({.name = "other", .backend = "cache", .default_ttl = {}, .durable = true});
  EXPECT_EQ(ServiceBackend(cluster).at("durable"), true);
}

// A store on its own backend, with its locks on three others; the service's settings are as those of
// LocalRedisLocksTest.
TEST(Redis, ServersOfLocksAreDurableAndKeptApart) {
  api::StorageCluster cluster = Cluster();
  for (const char* name : {"l1", "l2", "l3", "other"}) {
    cluster.spec.backends.push_back(
        {name, api::RedisBackend{.storage_size = "1Gi", .max_memory = "64Mi", .eviction_policy = "noeviction"}});
  }
  const auto pod = [&](const char* name) {
    return Find(cluster, "StatefulSet", name).at("/spec/template/spec"_json_pointer);
  };
  EXPECT_FALSE(pod("demo-l2").contains("affinity"));
  cluster.spec.stores[0].lock_backends = {"l1", "l2", "l3"};
  const Json settings = ServiceSettings(cluster);
  EXPECT_EQ(settings.at("stores").at("main").at("lock_backends"), Json({"l1", "l2", "l3"}));
  for (const char* name : {"l1", "l2", "l3"}) EXPECT_EQ(settings.at("backends").at(name).at("durable"), true) << name;
  for (const char* name : {"cache", "other"}) EXPECT_FALSE(settings.at("backends").at(name).contains("durable"));

  const Json apart = Json::parse(R"({"matchLabels": {"storage.holdfast.dev/cluster": "demo"}, "matchExpressions": [
      {"key": "storage.holdfast.dev/backend", "operator": "In", "values": ["l1", "l2", "l3"]}]})");
  for (const char* name : {"demo-l1", "demo-l2", "demo-l3"}) {
    const Json spread = pod(name).at("/topologySpreadConstraints/0"_json_pointer);
    EXPECT_EQ(spread.at("topologyKey"), "topology.kubernetes.io/zone");
    EXPECT_EQ(spread.at("labelSelector").at("matchExpressions"), apart.at("matchExpressions"));
    const Json term = pod(name).at(
        "/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm"_json_pointer);
    EXPECT_EQ(term.at("topologyKey"), "kubernetes.io/hostname");
    EXPECT_EQ(term.at("labelSelector").at("matchLabels").at("storage.holdfast.dev/cluster"), "demo");
    EXPECT_EQ(term.at("labelSelector").at("matchExpressions"), apart.at("matchExpressions"));
  }
  EXPECT_FALSE(pod("demo-other").contains("affinity"));
}

TEST(Redis, OfAnExternalOneOnlyTheNamedKeysAreMounted) {
  api::StorageCluster cluster = Cluster();
  cluster.spec.backends[0].kind = api::ExternalRedisBackend{.secret_name = "shared"};
  EXPECT_EQ(ServiceBackend(cluster), (Json{{"type", "redis"}, {"url_file", "/etc/holdfast-backends/cache/url"}}));
  EXPECT_TRUE(SecretNames(cluster).empty());
  EXPECT_TRUE(Find(cluster, "StatefulSet", "demo-cache").is_null());
  EXPECT_TRUE(VolumeSets(cluster).empty());

  cluster.spec.backends[0].kind =
      api::ExternalRedisBackend{.secret_name = "shared", .password_key = "pw", .authority_key = "ca.pem"};
  const Json expected = {{"type", "redis"},
                         {"url_file", "/etc/holdfast-backends/cache/url"},
                         {"password_file", "/etc/holdfast-backends/cache/password"},
                         {"tls_ca", "/etc/holdfast-backends/cache/ca.crt"}};
  EXPECT_EQ(ServiceBackend(cluster), expected);
  const Json volumes = Find(cluster, "Deployment", "demo").at("/spec/template/spec/volumes"_json_pointer);
  const auto secret = std::find_if(volumes.begin(), volumes.end(),
                                   [](const Json& volume) { return volume.at("name") == "backend-cache"; });
  ASSERT_NE(secret, volumes.end());
  EXPECT_EQ(secret->at("secret").at("secretName"), "shared");
  EXPECT_EQ(secret->at("secret").at("items"), Json::parse(R"([{"key": "ca.pem", "path": "ca.crt"},
                                                              {"key": "pw", "path": "password"},
                                                              {"key": "url", "path": "url"}])"));
}

TEST(Redis, TheImageIsTheOperatorsUnlessOneIsGiven) {
  api::StorageCluster cluster = Cluster();
  BuildOptions options{"holdfast:test"};
  options.redis_image = "holdfast-redis:7-1.0";
  EXPECT_EQ(Container(cluster, options).at("image"), "holdfast-redis:7-1.0");
  Redis(cluster).image = "registry.example/redis:7.2";
  EXPECT_EQ(Container(cluster, options).at("image"), "registry.example/redis:7.2");
}

TEST(Redis, ThePodAsksForMoreMemoryThanItsDataTakes) {
  EXPECT_EQ(Container(Cluster()).at("resources").at("requests").at("memory"), "1600Mi");
}

TEST(Redis, WhatTheServerReadsAtItsStartMakesItsPodAnew) {
  static const Json::json_pointer checksum =
      Json::json_pointer("/spec/template/metadata/annotations") / kConfigChecksumAnnotation;
  const auto of = [](const api::StorageCluster& cluster, const BuildOptions& options) {
    return Find(cluster, "StatefulSet", "demo-cache", options).at(checksum).get<std::string>();
  };
  BuildOptions options{"holdfast:test"};
  options.secret_checksums = {{"demo-cache-tls", "1"}, {"demo-cache-credentials", "1"}};
  api::StorageCluster cluster = Cluster();
  std::set<std::string> all = {of(cluster, options)};
  Redis(cluster).max_memory = "2Gi";
  all.insert(of(cluster, options));
  options.secret_checksums["demo-cache-tls"] = "2";
  all.insert(of(cluster, options));
  options.secret_checksums["demo-cache-credentials"] = "2";
  all.insert(of(cluster, options));
  EXPECT_EQ(all.size(), 4u);
}

TEST(Redis, HibernatedItHasNoPods) {
  api::StorageCluster cluster = Cluster();
  cluster.hibernated = true;
  EXPECT_EQ(Find(cluster, "StatefulSet", "demo-cache").at("spec").at("replicas"), 0);
}

}  // namespace
}  // namespace holdfast::resources
