#include "operator/resources/build.h"

#include <algorithm>
#include <set>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"

namespace holdfast::resources {
namespace {

using kube::Json;

api::StorageCluster Embedded() {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  cluster.spec.backends = {{"local", api::EmbeddedBackend{"1Gi", std::nullopt, "64Mi", "zstd"}}};
  cluster.spec.stores = {{"main", "local", std::nullopt}};
  cluster.spec.default_store = "main";
  return cluster;
}

api::StorageCluster Memory() {
  api::StorageCluster cluster = Embedded();
  cluster.spec.backends = {{"local", api::MemoryBackend{"256Mi"}}};
  return cluster;
}

Json Find(const std::vector<DesiredObject>& objects, const std::string& kind, const std::string& name) {
  for (const DesiredObject& object : objects) {
    if (object.kind.kind == kind && object.key().name == name) return object.object;
  }
  ADD_FAILURE() << "no " << kind << " " << name;
  return {};
}

Json StatefulSet(const api::StorageCluster& cluster) {
  return Find(BuildObjects(cluster, {"holdfast:test"}), "StatefulSet", "demo");
}

Json Config(const api::StorageCluster& cluster) {
  const Json map = Find(BuildObjects(cluster, {"holdfast:test"}), "ConfigMap", "demo-config");
  const auto documents = config::ParseYamlDocuments(map.at("data").at("holdfast.yaml").get<std::string>(), "config");
  EXPECT_TRUE(documents.ok());
  return documents->front();
}

TEST(BuildObjects, MakesEveryObjectInTheOrderOfApplying) {
  std::vector<std::string> names;
  for (const DesiredObject& object : BuildObjects(Embedded(), {"holdfast:test"})) {
    names.push_back(object.kind.kind + "/" + object.key().name);
    EXPECT_EQ(object.object.at("apiVersion"), object.kind.api_version());
    EXPECT_EQ(object.object.at("kind"), object.kind.kind);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("ServiceAccount/demo", "ConfigMap/demo-config", "Service/demo-headless",
                                            "Service/demo", "PodDisruptionBudget/demo", "StatefulSet/demo"));
}

TEST(BuildObjects, EveryObjectIsOwnedAndLabelled) {
  std::set<kube::ResourceKind> kinds;
  for (const DesiredObject& object : BuildObjects(Embedded(), {"holdfast:test"})) {
    kinds.insert(object.kind);
    const Json& metadata = object.object.at("metadata");
    EXPECT_EQ(metadata.at("namespace"), "prod");
    EXPECT_EQ(metadata.at("labels").at("storage.holdfast.dev/cluster"), "demo");
    EXPECT_EQ(metadata.at("labels").at("storage.holdfast.dev/owner-uid"), "u-1");
    EXPECT_EQ(metadata.at("labels").at("app.kubernetes.io/managed-by"), "holdfast-operator");
    EXPECT_EQ(metadata.at("labels").at("app.kubernetes.io/instance"), "demo");
    ASSERT_EQ(metadata.at("ownerReferences").size(), 1u);
    const Json& owner = metadata.at("ownerReferences").at(0);
    EXPECT_EQ(owner.at("uid"), "u-1");
    EXPECT_EQ(owner.at("controller"), true);
    EXPECT_EQ(owner.at("blockOwnerDeletion"), true);
  }
  for (const kube::ResourceKind& kind : kinds) {
    EXPECT_NE(std::find(ChildKinds().begin(), ChildKinds().end(), kind), ChildKinds().end()) << kind.kind;
  }
}

TEST(BuildObjects, IsDeterministic) {
  const auto once = BuildObjects(Embedded(), {"holdfast:test"});
  const auto again = BuildObjects(Embedded(), {"holdfast:test"});
  ASSERT_EQ(once.size(), again.size());
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(once[i].object.dump(), again[i].object.dump());
}

TEST(BuildObjects, WithoutAUidThereIsNoOwner) {
  api::StorageCluster cluster = Embedded();
  cluster.uid.clear();
  for (const DesiredObject& object : BuildObjects(cluster, {"holdfast:test"})) {
    EXPECT_FALSE(object.object.at("metadata").contains("ownerReferences"));
    EXPECT_FALSE(object.object.at("metadata").at("labels").contains(kOwnerUidLabel));
  }
}

TEST(ServiceConfig, HasExactlyTheKeysOfTheService) {
  api::StorageCluster cluster = Embedded();
  cluster.spec.backends.push_back({"hot", api::MemoryBackend{"5Mi"}});
  cluster.spec.stores.push_back({"sessions", "hot", "1h30m"});
  EXPECT_EQ(Config(cluster), Json::parse(R"({
    "listen": {"address": "0.0.0.0", "port": 8080},
    "admin": {"address": "0.0.0.0", "port": 9090},
    "data_dir": "/var/lib/holdfast",
    "backends": {"local": {"type": "rocksdb", "path": "local", "lock_wait": "60s", "durability": "sync",
                           "cache_size": "64Mi", "compression": "zstd"},
                 "hot": {"type": "memory", "max_bytes": "5Mi"}},
    "stores": {"main": {"backend": "local"}, "sessions": {"backend": "hot", "default_ttl": "1h30m"}},
    "default_store": "main",
    "shutdown": {"delay": "5s"}})"));
}

TEST(ServiceConfig, SaysHowValuesAreCompressedWhereItIsAskedFor) {
  api::StorageCluster cluster = Embedded();
  cluster.spec.backends.push_back({"hot", api::MemoryBackend{"5Mi"}, "lz4"});
  cluster.spec.backends.push_back({"db", api::ExternalPostgresBackend{"secret", "url"}, "none"});
  cluster.spec.backends.push_back({"cache", api::ExternalRedisBackend{.secret_name = "secret"}, "zstd"});
  cluster.spec.backends.push_back({"plain", api::MemoryBackend{"5Mi"}});
  const Json backends = Config(cluster).at("backends");
  EXPECT_EQ(backends.at("hot").at("compression"), "lz4");
  EXPECT_EQ(backends.at("db").at("compression"), "none");
  EXPECT_EQ(backends.at("cache").at("compression"), "zstd");
  EXPECT_FALSE(backends.at("plain").contains("compression"));
}

TEST(ServiceConfig, ComposesStoresOfTwoBackends) {
  api::StorageCluster cluster = Embedded();
  cluster.spec.backends.push_back({"hot", api::MemoryBackend{"5Mi"}});
  cluster.spec.backends.push_back({"spare", api::MemoryBackend{"6Mi"}});
  cluster.spec.stores = {
      {.name = "main", .backend = "local", .cache = api::StoreCache{.backend = "hot", .ttl = "10m"}},
      {.name = "read", .backend = "local", .secondary = api::StoreSecondary{.backend = "spare", .max_lag = "5s"}},
      {.name = "write",
       .backend = "spare",
       .secondary = api::StoreSecondary{.backend = "local", .takes_writes = true, .max_lag = "60s"}}};
  const Json config = Config(cluster);
  EXPECT_EQ(config.at("backends").at("hot"),
            Json::parse(R"({"type": "memory", "max_bytes": "5Mi", "eviction": "lru"})"));
  EXPECT_EQ(config.at("backends").at("spare"), Json::parse(R"({"type": "memory", "max_bytes": "6Mi"})"));
  EXPECT_EQ(config.at("stores"), Json::parse(R"({
    "main": {"backend": "local", "cache": "hot", "cache_ttl": "10m"},
    "read": {"backend": "local", "failover": "spare", "failover_max_lag": "5s"},
    "write": {"backend": "spare", "failover": "local", "failover_max_lag": "60s", "failover_mode": "read_write",
              "failover_sole_instance": true}})"));
}

// One store on two replicas, one that writes behind over a database, and what they need.
api::StorageCluster Composed() {
  api::StorageCluster cluster = Embedded();
  for (const char* name : {"a", "b"}) {
    cluster.spec.backends.push_back({name, api::EmbeddedBackend{"2Gi", "fast", "64Mi", "zstd"}});
  }
  cluster.spec.backends.push_back({"db", api::ExternalPostgresBackend{"db", "url"}});
  cluster.spec.backends.push_back({"hot", api::MemoryBackend{"5Mi"}});
  cluster.spec.stores = {{.name = "main", .backend = "a", .replicas = api::StoreReplicas{.backends = {"a", "b"}}},
                         {.name = "behind",
                          .backend = "db",
                          .cache = api::StoreCache{.backend = "hot", .ttl = "1h"},
                          .write_queue = api::StoreWriteQueue{.backend = "local"}}};
  return cluster;
}

TEST(ServiceConfig, ComposesStoresOfReplicasAndWithQueues) {
  api::StorageCluster cluster = Composed();
  EXPECT_EQ(Config(cluster).at("stores"), Json::parse(R"({
    "main": {"backend": "a", "replicas": ["b"]},
    "behind": {"backend": "db", "cache": "hot", "cache_ttl": "1h", "write": "behind", "write_queue": "local"}})"));
  EXPECT_EQ(Config(cluster).at("backends").at("a").at("path"), "/var/lib/holdfast-replicas/a/db");
  EXPECT_EQ(Config(cluster).at("backends").at("local").at("path"), "local");

  cluster.spec.stores[0].replicas = api::StoreReplicas{.backends = {"a", "b"},
                                                       .eventual = true,
                                                       .write_quorum = 1,
                                                       .read_quorum = 2,
                                                       .call_timeout = "1s",
                                                       .retry_interval = "2s",
                                                       .queue_operations = 3,
                                                       .queue_bytes = "4Mi",
                                                       .conflict_ttl = "5h",
                                                       .conflicts = 6,
                                                       .compare_interval = "7m",
                                                       .compare_rate = 8};
  api::StoreWriteQueue& queue = *cluster.spec.stores[1].write_queue;
  queue = {.backend = "local",
           .mode = api::WriteMode::kBack,
           .entries = 1,
           .bytes = "2Mi",
           .back_delay = "3s",
           .call_timeout = "4s",
           .retry_max = "5s",
           .lookup_timeout = "6s",
           .conflict_ttl = "7d"};
  EXPECT_EQ(Config(cluster).at("stores"), Json::parse(R"({
    "main": {"backend": "a", "replicas": ["b"], "replica_mode": "eventual", "replica_write_quorum": 1,
             "replica_read_quorum": 2, "replica_call_timeout": "1s", "replica_retry_interval": "2s",
             "replica_queue_operations": 3, "replica_queue_bytes": "4Mi", "replica_conflict_ttl": "5h",
             "replica_conflicts": 6, "replica_compare_interval": "7m", "replica_compare_rate": 8},
    "behind": {"backend": "db", "cache": "hot", "cache_ttl": "1h", "write": "back", "write_queue": "local",
               "write_queue_entries": 1, "write_queue_bytes": "2Mi", "write_back_delay": "3s",
               "write_call_timeout": "4s", "write_retry_max": "5s", "write_lookup_timeout": "6s",
               "write_conflict_ttl": "7d"}})"));
  queue = {.backend = "local", .mode = api::WriteMode::kThrough};
  EXPECT_EQ(Config(cluster).at("stores").at("behind"),
            Json::parse(R"({"backend": "db", "cache": "hot", "cache_ttl": "1h", "write_queue": "local"})"));
}

TEST(ConfigMap, WhatStandsAroundAStoreIsWrittenInTheServicesWords) {
  api::StorageCluster cluster = Composed();
  cluster.spec.stores[1].resilience = Json::parse(R"({
    "callTimeout": "2s", "breaker": {"minOperations": 7}, "retry": {"attempts": 3, "budgetPerSecond": 1},
    "bulkhead": {"calls": 16}, "hedge": {"after": "30ms"}})");
  EXPECT_EQ(Config(cluster).at("stores").at("behind").at("resilience"), Json::parse(R"({
    "call_timeout": "2s", "breaker": true, "breaker_min_operations": 7, "retry_attempts": 3,
    "retry_budget_per_second": 1, "bulkhead_calls": 16, "hedge_after": "30ms"})"));
  EXPECT_FALSE(Config(cluster).at("stores").at("main").contains("resilience"));
  cluster.spec.stores[1].resilience = Json::parse(R"({"breaker": {}})");
  EXPECT_EQ(Config(cluster).at("stores").at("behind").at("resilience"), Json::parse(R"({"breaker": true})"));
}

// Three copies on one volume would be lost together.
TEST(StatefulSet, EveryReplicaOfAStoreHasAVolumeOfItsOwn) {
  const api::StorageCluster cluster = Composed();
  const Json spec = StatefulSet(cluster).at("spec");
  std::map<std::string, std::string> sizes;
  for (const Json& claim : spec.at("volumeClaimTemplates")) {
    sizes[claim.at("metadata").at("name").get<std::string>()] =
        claim.at("spec").at("resources").at("requests").at("storage").get<std::string>();
  }
  EXPECT_EQ(sizes, (std::map<std::string, std::string>{{"data", "1Gi"}, {"replica-a", "2Gi"}, {"replica-b", "2Gi"}}));
  EXPECT_THAT(spec.at("template").at("spec").at("containers").at(0).at("volumeMounts"),
              ::testing::IsSupersetOf({Json{{"name", "data"}, {"mountPath", "/var/lib/holdfast"}},
                                       Json{{"name", "replica-a"}, {"mountPath", "/var/lib/holdfast-replicas/a"}},
                                       Json{{"name", "replica-b"}, {"mountPath", "/var/lib/holdfast-replicas/b"}}}));
  std::set<std::string> claims;
  for (const VolumeSet& set : VolumeSets(cluster)) {
    EXPECT_EQ(set.stateful_set, "demo");
    claims.insert(set.claim_prefix + "0 " + set.size);
  }
  EXPECT_EQ(claims, (std::set<std::string>{"data-demo-0 1Gi", "replica-a-demo-0 2Gi", "replica-b-demo-0 2Gi"}));
}

TEST(KeepsDataInPods, CopiesInMemoryAreNoData) {
  api::StorageCluster cluster = Memory();
  EXPECT_TRUE(KeepsDataInPods(cluster.spec));
  cluster.spec.backends.push_back({"db", api::ExternalPostgresBackend{"db", "url"}});
  cluster.spec.stores = {{.name = "main", .backend = "db", .cache = api::StoreCache{"local", "1h"}}};
  EXPECT_FALSE(KeepsDataInPods(cluster.spec));
  cluster.spec.stores = {{.name = "main", .backend = "db", .secondary = api::StoreSecondary{"local", false, "1m"}}};
  EXPECT_FALSE(KeepsDataInPods(cluster.spec));
  cluster.spec.stores.push_back({"more", "local"});
  EXPECT_TRUE(KeepsDataInPods(cluster.spec));
  cluster.spec.backends[0].kind = api::EmbeddedBackend{"1Gi", std::nullopt, "64Mi", "zstd"};
  cluster.spec.stores.pop_back();
  EXPECT_TRUE(KeepsDataInPods(cluster.spec)) << "its volume belongs to one pod";
}

TEST(StatefulSet, HasAClaimForEmbeddedBackends) {
  api::StorageCluster cluster = Embedded();
  std::get<api::EmbeddedBackend>(cluster.spec.backends[0].kind).storage_class_name = "fast";
  cluster.spec.backends.push_back({"more", api::EmbeddedBackend{"512Mi", "fast", "64Mi", "zstd"}});
  const Json spec = StatefulSet(cluster).at("spec");
  ASSERT_EQ(spec.at("volumeClaimTemplates").size(), 1u);
  const Json& claim = spec.at("volumeClaimTemplates").at(0);
  EXPECT_EQ(claim.at("metadata").at("name"), "data");
  EXPECT_EQ(claim.at("metadata").at("labels").at(kOwnerUidLabel), "u-1");
  EXPECT_EQ(claim.at("spec").at("resources").at("requests").at("storage"), "1536Mi");
  EXPECT_EQ(claim.at("spec").at("storageClassName"), "fast");
  EXPECT_FALSE(claim.at("metadata").contains("ownerReferences"));
  EXPECT_EQ(spec.at("persistentVolumeClaimRetentionPolicy"),
            Json::parse(R"({"whenDeleted": "Retain", "whenScaled": "Retain"})"));
}

TEST(StatefulSet, HasAnEmptyDirectoryForMemoryOnly) {
  const Json spec = StatefulSet(Memory()).at("spec");
  EXPECT_FALSE(spec.contains("volumeClaimTemplates"));
  const Json& volumes = spec.at("template").at("spec").at("volumes");
  EXPECT_EQ(volumes.at(1), Json::parse(R"({"name": "data", "emptyDir": {}})"));
}

TEST(StatefulSet, RunsTheServiceWithProbesAndMounts) {
  const Json pod = StatefulSet(Embedded()).at("spec").at("template").at("spec");
  const Json& container = pod.at("containers").at(0);
  EXPECT_EQ(container.at("name"), "service");
  EXPECT_EQ(container.at("image"), "holdfast:test");
  EXPECT_EQ(container.at("command"),
            Json::parse(R"(["holdfast", "serve", "--config", "/etc/holdfast/holdfast.yaml"])"));
  EXPECT_EQ(container.at("livenessProbe").at("httpGet").at("path"), "/livez");
  EXPECT_EQ(container.at("readinessProbe").at("httpGet").at("path"), "/readyz");
  EXPECT_EQ(container.at("startupProbe").at("httpGet").at("port"), "admin");
  EXPECT_EQ(container.at("volumeMounts").at(1), Json::parse(R"({"name": "data", "mountPath": "/var/lib/holdfast"})"));
  EXPECT_GT(pod.at("terminationGracePeriodSeconds").get<int>(), 5 + 30) << "it announces its end, then drains";
}

TEST(StatefulSet, ItsSelectorMatchesItsPodsAndBothServices) {
  const auto objects = BuildObjects(Embedded(), {"holdfast:test"});
  const Json spec = StatefulSet(Embedded()).at("spec");
  const Json& labels = spec.at("template").at("metadata").at("labels");
  for (const auto& [label, value] : spec.at("selector").at("matchLabels").items()) EXPECT_EQ(labels.at(label), value);
  for (const char* service : {"demo", "demo-headless"}) {
    EXPECT_EQ(Find(objects, "Service", service).at("spec").at("selector"), spec.at("selector").at("matchLabels"));
  }
  EXPECT_EQ(spec.at("serviceName"), "demo-headless");
  EXPECT_EQ(Find(objects, "Service", "demo-headless").at("spec").at("clusterIP"), "None");
}

TEST(StatefulSet, AConfigurationChangeMakesNewPods) {
  const auto checksum = [](const api::StorageCluster& cluster) {
    return StatefulSet(cluster).at("spec").at("template").at("metadata").at("annotations").dump();
  };
  api::StorageCluster changed = Embedded();
  changed.spec.stores[0].default_ttl = "1h";
  EXPECT_EQ(checksum(Embedded()), checksum(Embedded()));
  EXPECT_NE(checksum(Embedded()), checksum(changed));
}

TEST(StatefulSet, AsksForTheMemoryOfWhatWaits) {
  const auto memory = [](const api::StorageCluster& cluster) {
    const Json pod = StatefulSet(cluster).at("spec").at("template").at("spec");
    return pod.at("/containers/0/resources/requests/memory"_json_pointer);
  };
  api::StorageCluster cluster = Composed();
  EXPECT_EQ(memory(cluster), "453Mi") << "128 + 3 * 64 + 5, and 64 for each of the two queues";
  cluster.spec.stores[1].write_queue->bytes = "1Gi";
  cluster.spec.stores[0].replicas->queue_bytes = "1Mi";
  EXPECT_EQ(memory(cluster), "1350Mi");
}

TEST(StatefulSet, AsksForTheMemoryItsBackendsMayUse) {
  api::StorageCluster cluster = Memory();
  const auto resources = [&] {
    return StatefulSet(cluster).at("spec").at("template").at("spec").at("containers").at(0).at("resources");
  };
  EXPECT_EQ(resources(), Json::parse(R"({"requests": {"cpu": "100m", "memory": "384Mi"}})"));
  cluster.spec.service.resource_requests = {{"memory", "2Gi"}};
  cluster.spec.service.resource_limits = {{"cpu", 2}};
  EXPECT_EQ(resources(), Json::parse(R"({"requests": {"memory": "2Gi"}, "limits": {"cpu": 2}})"));
}

api::StorageCluster WithTls(api::ServiceTls tls = {}) {
  api::StorageCluster cluster = Embedded();
  cluster.spec.service.tls = std::move(tls);
  return cluster;
}

Json VolumeOf(const api::StorageCluster& cluster, const std::string& name) {
  const Json pod = StatefulSet(cluster).at("spec").at("template").at("spec");
  for (const Json& volume : pod.at("volumes")) {
    if (volume.at("name") == name) return volume;
  }
  return nullptr;
}

TEST(ServiceTls, IsOffUnlessAskedFor) {
  EXPECT_TRUE(SecretNames(Embedded()).empty());
  EXPECT_TRUE(VolumeOf(Embedded(), "tls").is_null());
  EXPECT_FALSE(Config(Embedded()).at("listen").contains("tls"));
}

TEST(ServiceTls, TheServiceReadsTheIssuedCertificateFromAMountedFolder) {
  const api::StorageCluster cluster = WithTls();
  EXPECT_THAT(SecretNames(cluster), ::testing::ElementsAre("demo-ca", "demo-tls"));
  EXPECT_EQ(Config(cluster).at("listen"), Json::parse(R"({"address": "0.0.0.0", "port": 8080,
                            "tls": {"certificate": "/etc/holdfast-tls/tls.crt", "key": "/etc/holdfast-tls/tls.key"}})"));
  // 288 = 0440: root and the pod's group. Without ca.crt, which the service has no use for.
  EXPECT_EQ(VolumeOf(cluster, "tls"), Json::parse(R"({"name": "tls", "secret": {
      "secretName": "demo-tls", "defaultMode": 288,
      "items": [{"key": "tls.crt", "path": "tls.crt"}, {"key": "tls.key", "path": "tls.key"}]}})"));
  const Json container = StatefulSet(cluster).at("spec").at("template").at("spec").at("containers").at(0);
  EXPECT_THAT(
      container.at("volumeMounts"),
      ::testing::Contains(Json::parse(R"({"name": "tls", "mountPath": "/etc/holdfast-tls", "readOnly": true})")));
  for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"}) {
    EXPECT_EQ(container.at(probe).at("httpGet").at("port"), "admin") << "which stays plain";
    EXPECT_EQ(container.at(probe).at("httpGet").at("scheme"), "HTTP");
  }
}

TEST(ServiceTls, WhatClientsAreToldFollows) {
  BuildOptions options{"holdfast:test"};
  options.authorities = "the authorities";
  const auto objects = BuildObjects(WithTls(), options);
  EXPECT_EQ(Endpoint(WithTls()), "https://demo.prod.svc:8080");
  EXPECT_EQ(Find(objects, "ConfigMap", "demo-ca").at("data"), Json::parse(R"({"ca.crt": "the authorities"})"));
  for (const char* service : {"demo", "demo-headless"}) {
    const Json ports = Find(objects, "Service", service).at("spec").at("ports");
    EXPECT_EQ(ports.at(0).at("appProtocol"), "https");
    EXPECT_EQ(ports.at(1).at("appProtocol"), "http") << "the admin port";
  }
}

TEST(ServiceTls, SwitchingItRollsAndRenewingDoesNot) {
  const auto pods = [](const api::StorageCluster& cluster, const BuildOptions& options) {
    return Find(BuildObjects(cluster, options), "StatefulSet", "demo").at("spec").at("template");
  };
  BuildOptions before{"holdfast:test"};
  before.authorities = "one";
  before.secret_checksums = {{"demo-ca", "sha256:1"}, {"demo-tls", "sha256:1"}};
  BuildOptions renewed = before;
  renewed.authorities = "one and the next";
  renewed.secret_checksums = {{"demo-ca", "sha256:2"}, {"demo-tls", "sha256:2"}};
  EXPECT_EQ(pods(WithTls(), before), pods(WithTls(), renewed));
  const auto checksum = [&](const api::StorageCluster& cluster) {
    return pods(cluster, before).at("metadata").at("annotations").at(kConfigChecksumAnnotation);
  };
  EXPECT_NE(checksum(WithTls()), checksum(Embedded()));
}

TEST(ServiceTls, ACertificateOfOnesOwnIsMountedAndNothingIsIssued) {
  const api::StorageCluster cluster = WithTls({.secret_name = "own"});
  EXPECT_TRUE(SecretNames(cluster).empty());
  EXPECT_EQ(VolumeOf(cluster, "tls").at("secret").at("secretName"), "own");
  EXPECT_EQ(Endpoint(cluster), "https://demo.prod.svc:8080");
  for (const DesiredObject& object : BuildObjects(cluster, {"holdfast:test"})) EXPECT_NE(object.key().name, "demo-ca");
}

TEST(ServiceTls, AuthoritiesOfClientsComeFromASecretOrAConfigMap) {
  const api::ClientAuthority in_secret{.in_config_map = false, .name = "clients", .key = "bundle.pem"};
  api::StorageCluster cluster = WithTls({.client_authority = in_secret});
  EXPECT_EQ(Config(cluster).at("listen").at("tls").at("client_ca"), "/etc/holdfast-client-ca/ca.crt");
  EXPECT_EQ(VolumeOf(cluster, "client-ca"), Json::parse(R"({"name": "client-ca", "secret": {
      "secretName": "clients", "defaultMode": 288, "items": [{"key": "bundle.pem", "path": "ca.crt"}]}})"));
  cluster.spec.service.tls->client_authority->in_config_map = true;
  EXPECT_EQ(VolumeOf(cluster, "client-ca"), Json::parse(R"({"name": "client-ca", "configMap": {
      "name": "clients", "items": [{"key": "bundle.pem", "path": "ca.crt"}]}})"));
}

TEST(VolumeSize, IsTheSumInTheLargestWholeUnit) {
  EXPECT_EQ(VolumeSize(Embedded().spec), "1Gi");
  EXPECT_EQ(VolumeSize(Memory().spec), "");
  api::StorageCluster cluster = Embedded();
  cluster.spec.backends[0].kind = api::EmbeddedBackend{"10G", std::nullopt, "64Mi", "zstd"};
  EXPECT_EQ(VolumeSize(cluster.spec), "9765625Ki");
}

TEST(Names, AreWhatTheDocumentationSays) {
  EXPECT_EQ(ClaimName("demo", 0), "data-demo-0");
  EXPECT_EQ(Endpoint(Embedded()), "http://demo.prod.svc:8080");
  EXPECT_EQ(PodSelectorText("demo"), "app.kubernetes.io/component=state-service,storage.holdfast.dev/cluster=demo");
}

TEST(Hash, IsSha256) {
  EXPECT_EQ(Hash(Json("")), "sha256:12ae32cb1ec02d01eda3581b127c1fee3b0dc53572ed6baf239721a03d82e126");
  EXPECT_NE(Hash({{"a", 1}}), Hash({{"a", 2}}));
}

}  // namespace
}  // namespace holdfast::resources
