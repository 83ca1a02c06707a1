#include "operator/resources/redis_servers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/build.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {
namespace {

using kube::Json;

Json Set(std::int64_t replicas, const char* named, std::int64_t generation) {
  Json annotations = Json::object();
  if (named != nullptr) annotations[kServersAnnotation] = named;
  return {{"metadata", {{"generation", generation}, {"resourceVersion", "7"}, {"annotations", annotations}}},
          {"spec", {{"replicas", replicas}}}};
}

// As the API server would carry it out.
void SayEnough(Json& set, std::int64_t servers) {
  set.merge_patch(EnoughServersPatch(servers, set));
}

TEST(RedisServers, ThereAreAsManyAsAreWantedWhenNoneOrFewerAreThere) {
  EXPECT_EQ(DesiredServers(3, nullptr), (RedisServers{3, 3}));
  Json set = Set(3, "3", 1);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 3}));
  EXPECT_EQ(DesiredServers(5, &set), (RedisServers{5, 5}));
  // Of an earlier operator.
  set = Set(3, nullptr, 1);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 3}));
  EXPECT_EQ(DesiredServers(2, &set), (RedisServers{3, 3}));
}

TEST(RedisServers, PodsGoWhenFewerAreEnoughAndTheirNamesBehindThem) {
  Json set = Set(5, "5", 12);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{5, 5}));
  SayEnough(set, 3);
  EXPECT_EQ(set["metadata"]["annotations"][kEnoughServersAnnotation], "3@12");
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 5}));
  EXPECT_EQ(DesiredServers(4, &set), (RedisServers{5, 5})) << "it was said of three";
  // Lowered, which makes it another generation.
  set["spec"]["replicas"] = 3;
  set["metadata"]["generation"] = 13;
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 5}));
  SayEnough(set, 3);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 3}));
  EXPECT_EQ(DesiredServers(5, &set), (RedisServers{5, 5}));
  EXPECT_EQ(DesiredServers(4, &set), (RedisServers{4, 5}));
}

TEST(RedisServers, WhatWasSaidBeforeAChangeOfTheStatefulSetCountsNoMore) {
  Json set = Set(5, "5", 12);
  SayEnough(set, 3);
  set["metadata"]["generation"] = 13;
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{5, 5}));
}

TEST(RedisServers, ThoseThatSleepWakeUpHoweverFewAreWantedByThen) {
  Json set = Set(0, "5", 12);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{5, 5}));
  EXPECT_EQ(DesiredServers(7, &set), (RedisServers{7, 7}));
  set = Set(0, nullptr, 12);
  EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 3}));
}

TEST(RedisServers, ADamagedAnnotationIsNone) {
  for (const char* text : {"", "five", "5x", "-5"}) {
    const Json set = Set(3, text, 1);
    EXPECT_EQ(DesiredServers(3, &set), (RedisServers{3, 3})) << text;
  }
}

TEST(RedisServers, ObjectsAreMadeOfAsManyAsThereAre) {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  api::RedisBackend redis{.storage_size = "4Gi", .max_memory = "1Gi", .eviction_policy = "noeviction"};
  redis.instances = 2;
  redis.sentinel = api::RedisSentinel{};
  cluster.spec.backends = {{"cache", redis}};
  BuildOptions options{"holdfast:test"};
  options.redis_servers["cache"] = {.pods = 2, .names = 3};
  const auto objects = BuildObjects(cluster, options);
  const auto find = [&](const char* kind, const char* name) -> Json {
    for (const DesiredObject& object : objects) {
      if (object.kind.kind == kind && object.key().name == name) return object.object;
    }
    return nullptr;
  };
  EXPECT_FALSE(find("Service", "demo-cache-2").is_null());
  EXPECT_TRUE(find("Service", "demo-cache-3").is_null());
  EXPECT_EQ(find("ConfigMap", "demo-cache-settings").at("/data/servers"_json_pointer),
            "demo-cache-0.prod.svc\ndemo-cache-1.prod.svc\ndemo-cache-2.prod.svc\n");
  const Json set = find("StatefulSet", "demo-cache");
  EXPECT_EQ(set.at("/spec/replicas"_json_pointer), 2);
  EXPECT_EQ(set.at("metadata").at("annotations").at(kServersAnnotation), "3");
  cluster.hibernated = true;
  const auto sleeping = BuildObjects(cluster, options);
  for (const DesiredObject& object : sleeping) {
    if (object.key().name != "demo-cache" || object.kind.kind != "StatefulSet") continue;
    EXPECT_EQ(object.object.at("/spec/replicas"_json_pointer), 0);
    EXPECT_EQ(object.object.at("metadata").at("annotations").at(kServersAnnotation), "3");
  }
}

}  // namespace
}  // namespace holdfast::resources
