// The restricted Pod Security Standard (kubernetes.io/docs/concepts/security/pod-security-standards), control by
// control, over every pod template we render; with a read-only root file system and no API token on top.
#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/build.h"

namespace holdfast::resources {
namespace {

using kube::Json;

std::vector<std::string> Violations(const Json& pod) {
  std::vector<std::string> found;
  const auto check = [&](bool holds, const std::string& rule) {
    if (!holds) found.push_back(rule);
  };
  for (const char* host : {"hostNetwork", "hostPID", "hostIPC"}) check(!pod.value(host, false), host);
  static const std::set<std::string> kVolumes = {
      "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"};
  for (const Json& volume : pod.value("volumes", Json::array())) {
    for (const auto& [kind, value] : volume.items())
      check(kind == "name" || kVolumes.count(kind) == 1, "volume " + kind);
  }
  const Json pod_context = pod.value("securityContext", Json::object());
  check(pod_context.value("runAsNonRoot", false), "runAsNonRoot");
  check(pod_context.value("runAsUser", 0) != 0, "runAsUser");
  check(pod_context.value("seccompProfile", Json::object()).value("type", "") == "RuntimeDefault", "seccompProfile");
  check(pod.value("automountServiceAccountToken", true) == false, "token");
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Json& container : pod.value(list, Json::array())) {
      const Json context = container.value("securityContext", Json::object());
      check(!context.value("privileged", false), "privileged");
      check(!context.value("allowPrivilegeEscalation", true), "allowPrivilegeEscalation");
      check(context.value("runAsNonRoot", true), "container runAsNonRoot");
      check(context.value("readOnlyRootFilesystem", false), "readOnlyRootFilesystem");
      const Json capabilities = context.value("capabilities", Json::object());
      check(capabilities.value("drop", Json::array()) == Json::array({"ALL"}), "capabilities.drop");
      check(!capabilities.contains("add"), "capabilities.add");
      for (const Json& port : container.value("ports", Json::array())) check(!port.contains("hostPort"), "hostPort");
    }
  }
  return found;
}

Json PodOf(const api::BackendSpec& backend) {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  cluster.spec.backends = {backend};
  cluster.spec.stores = {{"main", backend.name, std::nullopt}};
  cluster.spec.default_store = "main";
  return BuildStatefulSet(cluster, {"holdfast:test"}, "sha256:0").at("spec").at("template").at("spec");
}

TEST(PodSecurity, EveryPodMeetsTheRestrictedStandard) {
  EXPECT_THAT(Violations(PodOf({"local", api::EmbeddedBackend{"1Gi", std::nullopt, "64Mi", "zstd"}})),
              ::testing::IsEmpty());
  EXPECT_THAT(Violations(PodOf({"local", api::MemoryBackend{"1Mi"}})), ::testing::IsEmpty());
}

TEST(PodSecurity, EveryPodOfARedisBackendDoes) {
  for (const char* mode : {"Standalone", "Sentinel", "Cluster"}) {
    const bool with_sentinels = mode == std::string("Sentinel");
    api::StorageCluster cluster;
    cluster.ns = "prod";
    cluster.name = "demo";
    api::RedisBackend redis{.storage_size = "1Gi", .max_memory = "64Mi", .eviction_policy = "noeviction"};
    if (with_sentinels) redis.sentinel = api::RedisSentinel{};
    if (mode == std::string("Cluster")) redis.shards = api::RedisShards{};
    cluster.spec.backends = {{"cache", redis}};
    cluster.spec.stores = {{"main", "cache", std::nullopt}};
    cluster.spec.default_store = "main";
    int pods = 0;
    for (const DesiredObject& object : BuildObjects(cluster, {"holdfast:test"})) {
      static const Json::json_pointer pointer("/spec/template/spec");
      if (!object.object.contains(pointer)) continue;
      ++pods;
      EXPECT_THAT(Violations(object.object.at(pointer)), ::testing::IsEmpty()) << object.key().name;
    }
    EXPECT_EQ(pods, with_sentinels ? 3 : 2) << "the servers, the service, the sentinels";
  }
}

TEST(PodSecurity, EveryPodOfAPostgresBackendDoesAndOnlyPatroniHasAToken) {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  api::PostgresBackend postgres;
  postgres.storage_size = "1Gi";
  postgres.autogrow = api::Autogrow{.max_size = "2Gi", .increment = {}};
  postgres.backup = api::PostgresBackup{.storage_size = "1Gi"};
  postgres.restore = api::PostgresRestore{.claim = "other"};
  cluster.spec.backends = {{"db", postgres}};
  cluster.spec.stores = {{"main", "db", std::nullopt}};
  cluster.spec.default_store = "main";
  int pods = 0;
  for (const DesiredObject& object : BuildObjects(cluster, {"holdfast:test"})) {
    static const Json::json_pointer pointer("/spec/template/spec");
    if (!object.object.contains(pointer)) continue;
    ++pods;
    const bool patroni = object.kind == kube::kinds::kStatefulSet && object.key().name == "demo-db";
    const std::vector<std::string> expected = patroni ? std::vector<std::string>{"token"} : std::vector<std::string>{};
    const Json& pod = object.object.at(pointer);
    EXPECT_EQ(Violations(pod), expected) << object.kind.kind << " " << object.key().name;
    if (!patroni) continue;
    // A mount of its own in that place keeps the token out of a container.
    for (const Json& container : pod.at("containers")) {
      const Json& mounts = container.at("volumeMounts");
      const bool shut_out = std::any_of(mounts.begin(), mounts.end(), [](const Json& mount) {
        return mount.at("mountPath") == "/var/run/secrets/kubernetes.io/serviceaccount";
      });
      EXPECT_EQ(shut_out, container.at("name") != "postgres") << container.at("name");
    }
  }
  EXPECT_EQ(pods, 6) << "servers, pooler, migration, service, the repository and what is restored from";
}

TEST(PodSecurity, TheCheckFindsWhatItLooksFor) {
  Json pod = PodOf({"local", api::MemoryBackend{"1Mi"}});
  pod["hostNetwork"] = true;
  pod["volumes"].push_back({{"name", "root"}, {"hostPath", {{"path", "/"}}}});
  pod["securityContext"].erase("seccompProfile");
  pod["containers"][0]["securityContext"].erase("allowPrivilegeEscalation");
  pod["containers"][0]["securityContext"]["capabilities"]["add"] = {"SYS_ADMIN"};
  EXPECT_THAT(Violations(pod), ::testing::UnorderedElementsAre("hostNetwork", "volume hostPath", "seccompProfile",
                                                               "allowPrivilegeEscalation", "capabilities.add"));
}

}  // namespace
}  // namespace holdfast::resources
