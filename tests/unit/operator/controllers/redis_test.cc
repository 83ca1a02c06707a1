// The life of a cluster with a Redis backend before a played API server; and the operator killed at every one of its
// writes in it.
#include "operator/resources/redis.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "operator/resources/redis_servers.h"
#include "tests/unit/operator/controllers/crash_sweep.h"

namespace holdfast::storagecluster {
namespace {

namespace kinds = kube::kinds;
using ::testing::HasSubstr;
using When = CrashingClient::When;

std::string File(const Json& secret, const char* name) {
  return kube::Base64Decode(secret.at("data").at(name).get<std::string>()).value();
}

TEST(RedisCluster, GetsReadyAndSaysWhereItIs) {
  ClusterBench bench;
  bench.CreateCluster("demo", RedisSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const Json expected = {
      {"name", "cache"},     {"type", "redis"},           {"claimName", "redisdata-demo-cache-0"},
      {"requested", "1Gi"},  {"primary", "demo-cache-0"}, {"instances", 1},
      {"readyInstances", 1}, {"phase", "Ready"},          {"endpoint", "demo-cache-primary.prod.svc:6379"}};
  Json backend = bench.Cluster("demo").at("status").at("backends").at(0);
  backend.erase("capacity");
  EXPECT_EQ(backend, expected);
  const Json credentials = bench.Get(kinds::kSecret, "demo-cache-credentials");
  EXPECT_EQ(
      File(credentials, resources::kRedisUsersFile),
      resources::RedisUsers(
          {File(credentials, resources::kApplicationPassword), {}, {}, File(credentials, resources::kKeeperPassword)}));
  EXPECT_EQ(credentials.at("metadata").at("ownerReferences").size(), 1u);
}

TEST(RedisCluster, IsNotReadyWhileItsServerIsNot) {
  ClusterBench bench;
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", RedisSpec());
  for (int round = 0; round < 6; ++round) {
    ASSERT_TRUE(bench.Reconcile("demo").ok());
    bench.PlayStatefulSets();
    bench.PlayDatabases();
  }
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False BackendNotReady");
  EXPECT_EQ(bench.Cluster("demo").at("/status/backends/0/phase"_json_pointer), "Starting");
  bench.servers_get_ready = true;
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(RedisCluster, LostCredentialsAreMadeAnewAndChangedOnesMended) {
  ClusterBench bench;
  bench.CreateCluster("demo", RedisSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json first = bench.Get(kinds::kSecret, "demo-cache-credentials");
  const Json server = bench.Get(kinds::kStatefulSet, "demo-cache");
  const Deadline deadline = Deadline::After(std::chrono::seconds{10});
  ASSERT_TRUE(bench.user().Delete(kinds::kSecret, {"prod", "demo-cache-credentials"}, {}, deadline).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json second = bench.Get(kinds::kSecret, "demo-cache-credentials");
  EXPECT_NE(File(second, resources::kApplicationPassword), File(first, resources::kApplicationPassword));
  static const Json::json_pointer annotations("/spec/template/metadata/annotations");
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo-cache").at(annotations), server.at(annotations))
      << "the server follows its users while it runs";
  ASSERT_TRUE(
      bench.user()
          .MergePatch(kinds::kSecret, {"prod", "demo-cache-credentials"},
                      {{"data", {{resources::kRedisUsersFile, kube::Base64Encode("user default on nopass +@all")}}}},
                      deadline)
          .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Get(kinds::kSecret, "demo-cache-credentials").at("data"), second.at("data"));
}

TEST(RedisCluster, AGrownVolumeGrowsTheClaimAndARetainedOneIsTakenOver) {
  ClusterBench bench;
  bench.CreateCluster("demo", RedisSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Get(kinds::kSecret, "demo-cache-credentials").is_null());
  ASSERT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "redisdata-demo-cache-0").is_null());
  bench.CreateCluster("demo", RedisSpec("2Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  const Json claim = bench.Get(kinds::kPersistentVolumeClaim, "redisdata-demo-cache-0");
  EXPECT_EQ(kube::StringAt(claim, "/spec/resources/requests/storage"), "2Gi");
  EXPECT_EQ(kube::LabelOf(claim, resources::kRoleLabel), resources::kRedisRole);
  EXPECT_EQ(kube::LabelOf(claim, resources::kOwnerUidLabel), kube::UidOf(bench.Cluster("demo")));
}

std::string Marker(ClusterBench& bench) {
  return File(bench.Get(kinds::kSecret, "demo-cache-credentials"), resources::kInitializedFile);
}

TEST(RedisSentinelCluster, GetsReadyAndSaysWhereItsSentinelsAre) {
  ClusterBench bench;
  bench.CreateCluster("demo", SentinelSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const Json expected = {{"name", "cache"},    {"type", "redis"},
                         {"requested", "1Gi"}, {"claimName", "redisdata-demo-cache-0"},
                         {"instances", 2},     {"readyInstances", 2},
                         {"sentinels", 3},     {"readySentinels", 3},
                         {"phase", "Ready"},   {"endpoint", "demo-cache-sentinel.prod.svc:26379"}};
  Json backend = bench.Cluster("demo").at("status").at("backends").at(0);
  backend.erase("capacity");
  EXPECT_EQ(backend, expected);
  const Json credentials = bench.Get(kinds::kSecret, "demo-cache-credentials");
  const resources::RedisPasswords passwords{
      File(credentials, resources::kApplicationPassword), File(credentials, resources::kReplicationPassword),
      File(credentials, resources::kSentinelPassword), File(credentials, resources::kKeeperPassword)};
  EXPECT_EQ(File(credentials, resources::kRedisUsersFile), resources::RedisUsersWithSentinels(passwords));
  EXPECT_EQ(File(credentials, resources::kSentinelUsersFile), resources::SentinelUsers(passwords));
  EXPECT_NE(passwords.sentinel.in_use, passwords.keeper.in_use);
}

// Before it is noted that there was a master, a server may begin without data: nobody may have written yet.
TEST(RedisSentinelCluster, TheServiceIsToldOfItOnlyWhenNoServerBeginsWithoutDataAnyMore) {
  ClusterBench bench;
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", SentinelSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(Marker(bench), "no");
  EXPECT_TRUE(bench.Get(kinds::kDeployment, "demo").is_null());
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False BackendNotReady");
  EXPECT_EQ(bench.Cluster("demo").at("/status/backends/0/phase"_json_pointer), "Starting");
  std::vector<std::string> writes;
  bench.client().on_write = [&](const std::string&, const std::string& target) { writes.push_back(target); };
  const Json servers = bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template");
  bench.servers_get_ready = true;
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(Marker(bench), "yes");
  EXPECT_TRUE(bench.HasEvent("BackendInitialized"));
  const auto place = [&](const std::string& of) {
    return std::find_if(writes.begin(), writes.end(),
                        [&](const std::string& target) { return target.find(of) != std::string::npos; });
  };
  ASSERT_NE(place("demo-config"), writes.end());
  EXPECT_LT(place("demo-cache-credentials"), place("demo-config"));
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template"), servers)
      << "nothing restarts for it";
}

TEST(RedisSentinelCluster, VolumesThatAreThereAlreadyAreNeverBegunWith) {
  ClusterBench bench;
  bench.CreateCluster("demo", SentinelSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  ASSERT_TRUE(bench.Get(kinds::kSecret, "demo-cache-credentials").is_null());
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", SentinelSpec());
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(Marker(bench), "yes");
  // Nor are those whose credentials were lost.
  ASSERT_TRUE(bench.Converge("demo"));
  ASSERT_TRUE(
      bench.user()
          .Delete(kinds::kSecret, {"prod", "demo-cache-credentials"}, {}, Deadline::After(std::chrono::seconds{10}))
          .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(Marker(bench), "yes");
}

TEST(RedisSentinelCluster, ItGrowsWithoutARestart) {
  ClusterBench bench;
  bench.CreateCluster("demo", SentinelSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json before = bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template");
  const Json certificate = bench.Get(kinds::kSecret, "demo-cache-tls").at("data");
  bench.PatchSpec("demo", SentinelSpec("1Gi", 4));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.Cluster("demo").at("/status/backends/0/readyInstances"_json_pointer), 4);
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template"), before);
  EXPECT_EQ(bench.Get(kinds::kSecret, "demo-cache-tls").at("data"), certificate);
  EXPECT_FALSE(bench.Get(kinds::kService, "demo-cache-3").is_null());
}

TEST(RedisSentinelCluster, FewerServersGoOnlyWhenTheyMayAndTheirNamesBehindThem) {
  ClusterBench bench;
  bench.CreateCluster("demo", SentinelSpec("1Gi", 4));
  ASSERT_TRUE(bench.Converge("demo"));
  const auto say_enough = [&] {
    const Json set = bench.Get(kinds::kStatefulSet, "demo-cache");
    ASSERT_TRUE(bench.client()
                    .MergePatch(kinds::kStatefulSet, kube::KeyOf(set), resources::EnoughServersPatch(3, set),
                                Deadline::After(std::chrono::seconds{10}))
                    .ok());
  };
  bench.PatchSpec("demo", SentinelSpec("1Gi", 3));
  ASSERT_TRUE(bench.Converge("demo"));
  const Json before = bench.Get(kinds::kStatefulSet, "demo-cache").at("spec");
  EXPECT_EQ(before.at("replicas"), 4);
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "True RollingOut");
  say_enough();
  ASSERT_TRUE(bench.Converge("demo"));
  Json after = bench.Get(kinds::kStatefulSet, "demo-cache").at("spec");
  EXPECT_EQ(after.at("replicas"), 3);
  after["replicas"] = 4;
  EXPECT_EQ(after, before) << "nobody who stays is restarted";
  EXPECT_FALSE(bench.Get(kinds::kService, "demo-cache-3").is_null()) << "sentinels may still look it up";
  say_enough();
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Get(kinds::kService, "demo-cache-3").is_null());
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Settled");
}

TEST(RedisShardCluster, GetsReadyAndSaysWhereItIs) {
  ClusterBench bench;
  bench.CreateCluster("demo", ShardedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  const Json expected = {
      {"name", "cache"}, {"type", "redis"},     {"requested", "1Gi"}, {"claimName", "redisdata-demo-cache-0"},
      {"instances", 6},  {"readyInstances", 6}, {"phase", "Ready"},   {"endpoint", "demo-cache.prod.svc:6379"}};
  Json backend = bench.Cluster("demo").at("status").at("backends").at(0);
  backend.erase("capacity");
  EXPECT_EQ(backend, expected);
  const Json credentials = bench.Get(kinds::kSecret, "demo-cache-credentials");
  EXPECT_EQ(File(credentials, resources::kRedisUsersFile),
            resources::RedisUsersOfShards({File(credentials, resources::kApplicationPassword),
                                           File(credentials, resources::kReplicationPassword),
                                           {},
                                           File(credentials, resources::kKeeperPassword)}));
  EXPECT_FALSE(credentials.at("data").contains(resources::kSentinelPassword));
}

// Until it is noted that slots were given, the operator gives them to servers without data.
TEST(RedisShardCluster, TheServiceIsToldOfItOnlyWhenNobodyGetsSlotsWithoutDataAnyMore) {
  ClusterBench bench;
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", ShardedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(Marker(bench), "no");
  EXPECT_TRUE(bench.Get(kinds::kDeployment, "demo").is_null());
  bench.servers_get_ready = true;
  const Json servers = bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(Marker(bench), "yes");
  EXPECT_FALSE(bench.Get(kinds::kDeployment, "demo").is_null());
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo-cache").at("spec").at("template"), servers)
      << "nothing restarts for it";
}

TEST(RedisShardCluster, AShardThatIsLostIsSaidWithTheRemedy) {
  ClusterBench bench;
  bench.CreateCluster("demo", ShardedSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto tell = [&](const char* state) {
    Json cluster = bench.Cluster("demo");
    cluster["status"]["redis"] = Json::array({{{"backend", "cache"},
                                               {"state", state},
                                               {"message", "slots 0-5460 are not served: bring a volume back"},
                                               {"shards", Json::array()}}});
    EXPECT_TRUE(
        bench.user().UpdateStatus(kinds::kStorageCluster, cluster, Deadline::After(std::chrono::seconds{10})).ok());
    EXPECT_TRUE(bench.Converge("demo"));
  };
  tell("ShardLost");
  for (const char* condition : {"Ready", "Degraded"}) {
    EXPECT_EQ(bench.ConditionOf("demo", condition),
              std::string(condition == std::string("Ready") ? "False" : "True") + " ShardLost");
  }
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Blocked") << "it waits for a person";
  EXPECT_THAT(bench.Cluster("demo").at("status").dump(), HasSubstr("backend cache: slots 0-5460 are not served"));
  tell("Serving");
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "False AsExpected");
}

// Made and grown; with a crash at write `n` (0 = none). How it goes and comes again is swept without sentinels.
Ending LiveWithSentinels(int n, When when) {
  ClusterBench bench;
  bench.client().CrashAt(n, when);
  bench.CreateCluster("demo", SentinelSpec());
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(Marker(bench), "yes");
  bench.PatchSpec("demo", SentinelSpec("2Gi", 3));
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  return {bench.Objects(), bench.client().writes(), {}};
}

// Made, changed, deleted with Retain, made anew; with a crash at write `n` (0 = none).
Ending LiveThrough(int n, When when) {
  ClusterBench bench;
  bench.client().CrashAt(n, when);
  bench.CreateCluster("demo", RedisSpec());
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  const Json credentials = bench.Get(kinds::kSecret, "demo-cache-credentials").at("data");
  Json spec = RedisSpec("2Gi");
  spec["backends"][0]["redis"]["maxMemory"] = "512Mi";
  bench.PatchSpec("demo", spec);
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.Get(kinds::kSecret, "demo-cache-credentials").at("data"), credentials);
  bench.DeleteCluster("demo");
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_TRUE(bench.Cluster("demo").is_null()) << "the deletion has not come to its end";
  bench.CreateCluster("demo", RedisSpec("2Gi"));
  EXPECT_TRUE(ConvergeThroughCrash(bench));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  return {bench.Objects(), bench.client().writes(), {}};
}

constexpr int kParts = 8;

class RedisCrashFault : public ::testing::TestWithParam<int> {};

TEST_P(RedisCrashFault, AtEveryWriteConvergesToTheReference) {
  EXPECT_GT(SweepCrashes(LiveThrough, GetParam(), kParts).writes, 30);
}

INSTANTIATE_TEST_SUITE_P(Parts, RedisCrashFault, ::testing::Range(0, kParts));

class SentinelCrashFault : public ::testing::TestWithParam<int> {};

TEST_P(SentinelCrashFault, AtEveryWriteConvergesToTheReference) {
  EXPECT_GT(SweepCrashes(LiveWithSentinels, GetParam(), kParts).writes, 30);
}

INSTANTIATE_TEST_SUITE_P(Parts, SentinelCrashFault, ::testing::Range(0, kParts));

}  // namespace
}  // namespace holdfast::storagecluster
