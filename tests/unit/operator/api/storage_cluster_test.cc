#include "operator/api/v1/storage_cluster.h"

#include <fstream>
#include <set>
#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace holdfast::api {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

Json Cluster(const Json& spec, const std::string& name = "demo") {
  return {{"apiVersion", kApiVersion},
          {"kind", kStorageClusterKind},
          {"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "u-1"}, {"generation", 3}}},
          {"spec", spec}};
}

Json MinimalSpec() {
  return Json::parse(R"({"backends": [{"name": "local", "embedded": {"storage": {"size": "1Gi"}}}],
                         "stores": [{"name": "main", "backend": "local"}]})");
}

std::string ReadSource(const std::string& path) {
  std::ifstream file(std::string(HOLDFAST_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(StorageClusterCases, AreAcceptedOrRefusedAtTheRightFields) {
  const auto cases = config::ParseYamlDocuments(ReadSource("tests/unit/operator/api/cases.yaml"), "cases.yaml");
  ASSERT_TRUE(cases.ok()) << cases.error().message();
  ASSERT_GE(cases->size(), 30u);
  for (const Json& entry : *cases) {
    SCOPED_TRACE(entry.at("case").get<std::string>());
    const std::string name = entry.value("name", std::string("demo"));
    const Json old = entry.contains("old") ? Cluster(entry.at("old"), name) : Json();
    if (!old.is_null()) {
      const ParsedStorageCluster before = ParseStorageCluster(old);
      EXPECT_TRUE(before.cluster.has_value()) << Summarize(before.errors);
    }
    const ParsedStorageCluster parsed =
        ParseStorageCluster(Cluster(entry.at("spec"), name), old.is_null() ? nullptr : &old);
    std::set<std::string> broken;
    for (const FieldError& error : parsed.errors) {
      broken.insert(error.path);
      EXPECT_FALSE(error.message.empty());
    }
    EXPECT_EQ(broken, entry.at("broken").get<std::set<std::string>>()) << Summarize(parsed.errors);
    EXPECT_EQ(parsed.cluster.has_value(), parsed.errors.empty());
  }
}

TEST(StorageCluster, ReadsEveryField) {
  Json spec = Json::parse(R"({
    "backends": [{"name": "local", "embedded": {"storage": {"size": "10Gi", "storageClassName": "fast"},
                                                "cacheSize": "1Gi", "compression": "lz4"}},
                 {"name": "hot", "memory": {"maxBytes": "5Mi", "compression": "snappy"}}],
    "stores": [{"name": "main", "backend": "local"}, {"name": "sessions", "backend": "hot", "defaultTtl": "1h"}],
    "defaultStore": "sessions",
    "service": {"replicas": 0, "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}},
    "terminationPolicy": "DoNotTerminate"})");
  const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(spec));
  ASSERT_TRUE(parsed.cluster) << Summarize(parsed.errors);
  const StorageCluster& cluster = *parsed.cluster;
  EXPECT_EQ(cluster.ns, "prod");
  EXPECT_EQ(cluster.name, "demo");
  EXPECT_EQ(cluster.uid, "u-1");
  EXPECT_EQ(cluster.generation, 3);
  ASSERT_EQ(cluster.spec.backends.size(), 2u);
  const EmbeddedBackend* embedded = cluster.spec.backends[0].embedded();
  ASSERT_NE(embedded, nullptr);
  EXPECT_EQ(embedded->storage_size, "10Gi");
  EXPECT_EQ(embedded->storage_class_name, "fast");
  EXPECT_EQ(embedded->cache_size, "1Gi");
  EXPECT_EQ(embedded->compression, "lz4");
  ASSERT_NE(cluster.spec.backends[1].memory(), nullptr);
  EXPECT_EQ(cluster.spec.backends[1].memory()->max_bytes, "5Mi");
  EXPECT_EQ(cluster.spec.backends[0].compression, std::nullopt);
  EXPECT_EQ(cluster.spec.backends[1].compression, "snappy");
  EXPECT_EQ(cluster.spec.stores[1].default_ttl, "1h");
  EXPECT_EQ(cluster.spec.default_store, "sessions");
  EXPECT_EQ(cluster.spec.service.replicas, 0);
  EXPECT_EQ(cluster.spec.service.resource_requests, Json({{"cpu", 1}}));
  EXPECT_EQ(cluster.spec.service.resource_limits, Json({{"memory", "1Gi"}}));
  EXPECT_EQ(cluster.spec.termination_policy, TerminationPolicy::kDoNotTerminate);
}

TEST(StorageCluster, ReadsStoresThatAreComposedOfSeveral) {
  const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(Json::parse(R"({
    "backends": [{"name": "db", "postgres": {"storage": {"size": "1Gi"}}}, {"name": "hot", "memory": {}},
                 {"name": "log", "embedded": {"storage": {"size": "1Gi"}}},
                 {"name": "a", "embedded": {"storage": {"size": "1Gi"}}},
                 {"name": "b", "embedded": {"storage": {"size": "1Gi"}}}],
    "stores": [{"name": "back", "tiered": {"store": "db", "cache": "hot", "write": "Back", "writeQueue": "log",
                                           "writeQueueEntries": 7, "writeBackDelay": "2s"}},
               {"name": "left", "tiered": {"store": "db", "cache": "hot", "writeQueue": "log"}},
               {"name": "copies", "replicated": {"backends": ["a", "b"], "mode": "Eventual", "readQuorum": 1}}]})")));
  ASSERT_TRUE(parsed.cluster) << Summarize(parsed.errors);
  const StorageClusterSpec& spec = parsed.cluster->spec;
  const StoreWriteQueue& queue = *spec.stores[0].write_queue;
  EXPECT_EQ(queue.backend, "log");
  EXPECT_EQ(queue.mode, WriteMode::kBack);
  EXPECT_EQ(queue.entries, 7);
  EXPECT_EQ(queue.back_delay, "2s");
  EXPECT_FALSE(queue.bytes || queue.call_timeout || queue.conflict_ttl);
  EXPECT_EQ(spec.stores[1].write_queue->mode, WriteMode::kThrough);
  EXPECT_EQ(spec.stores[2].backend, "a");
  const StoreReplicas& replicas = *spec.stores[2].replicas;
  EXPECT_EQ(replicas.backends, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(replicas.eventual);
  EXPECT_EQ(replicas.read_quorum, 1);
  EXPECT_FALSE(replicas.write_quorum || replicas.queue_bytes);
  for (const BackendSpec& backend : spec.backends) {
    EXPECT_EQ(spec.IsReplica(backend), backend.name == "a" || backend.name == "b") << backend.name;
  }
}

TEST(StorageCluster, GivesDefaults) {
  const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(MinimalSpec()));
  ASSERT_TRUE(parsed.cluster) << Summarize(parsed.errors);
  const StorageClusterSpec& spec = parsed.cluster->spec;
  EXPECT_EQ(spec.default_store, "main");
  EXPECT_EQ(spec.service.replicas, 1);
  EXPECT_EQ(spec.backends[0].embedded()->cache_size, "64Mi");
  EXPECT_EQ(spec.backends[0].embedded()->compression, "zstd");
  EXPECT_EQ(spec.termination_policy, TerminationPolicy::kRetain);
}

TEST(StorageCluster, TlsIsOffUntilItIsThereAndNotDisabled) {
  const auto tls = [](const Json& given) {
    Json spec = MinimalSpec();
    if (!given.is_null()) spec["service"]["tls"] = given;
    const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(spec));
    EXPECT_TRUE(parsed.cluster) << Summarize(parsed.errors);
    return parsed.cluster->spec.service.tls;
  };
  EXPECT_FALSE(tls(nullptr));
  EXPECT_FALSE(tls({{"enabled", false}, {"secretName", "own"}}));
  for (const Json& given : {Json::object(), Json{{"enabled", true}}}) {
    ASSERT_TRUE(tls(given));
    EXPECT_TRUE(tls(given)->issued());
    EXPECT_FALSE(tls(given)->names_others());
  }
  const auto own = tls({{"secretName", "own"}});
  EXPECT_EQ(own->secret_name, "own");
  EXPECT_TRUE(!own->issued() && own->names_others());
  const auto asking = tls({{"clientCA", {{"secretRef", {{"name", "clients"}, {"key", "ca.crt"}}}}}});
  EXPECT_TRUE(asking->issued() && asking->names_others());
  EXPECT_FALSE(asking->client_authority->in_config_map);
  EXPECT_EQ(asking->client_authority->name + "/" + asking->client_authority->key, "clients/ca.crt");
}

TEST(StorageCluster, AMemberThatIsNullCountsAsAbsent) {
  Json spec = MinimalSpec();
  spec["defaultStore"] = nullptr;
  spec["service"] = nullptr;
  EXPECT_TRUE(ParseStorageCluster(Cluster(spec)).cluster.has_value());
}

TEST(StorageCluster, UnknownFieldsAreRefusedWithTheNearestKnownOne) {
  Json spec = MinimalSpec();
  spec["defaultStor"] = "main";
  spec["backends"][0]["embedded"]["compresion"] = "zstd";
  spec["backends"][0]["embedded"]["somethingElseEntirely"] = 1;
  const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(spec));
  ASSERT_EQ(parsed.errors.size(), 3u);
  EXPECT_EQ(parsed.errors[0].path, "spec.backends[0].embedded.compresion");
  EXPECT_THAT(parsed.errors[0].message, HasSubstr("did you mean compression?"));
  EXPECT_EQ(parsed.errors[1].path, "spec.backends[0].embedded.somethingElseEntirely");
  EXPECT_THAT(parsed.errors[1].message, HasSubstr("storage, cacheSize, compression"));
  EXPECT_EQ(parsed.errors[2].path, "spec.defaultStor");
}

TEST(StorageCluster, LaterFieldsAreRefusedWithTheRemedy) {
  Json spec = MinimalSpec();
  spec["stores"][0] = Json::parse(R"({"name": "main", "dualWrite": {"primary": "fast"}})");
  const ParsedStorageCluster parsed = ParseStorageCluster(Cluster(spec));
  ASSERT_EQ(parsed.errors.size(), 1u);
  EXPECT_THAT(parsed.errors[0].message, HasSubstr("dualWrite is not supported by this release"));
  EXPECT_THAT(parsed.errors[0].message, HasSubstr("use backend, and a StorageMigration"));
}

TEST(StorageCluster, NoFieldNamesANamespace) {
  for (const char* text : {R"({"name": "main", "backend": "local", "namespace": "other"})",
                           R"({"name": "main", "backend": "other/local"})"}) {
    Json spec = MinimalSpec();
    spec["stores"][0] = Json::parse(text);
    EXPECT_FALSE(ParseStorageCluster(Cluster(spec)).cluster.has_value()) << text;
  }
}

TEST(StorageCluster, OtherKindsAreRefused) {
  Json object = Cluster(MinimalSpec());
  object["kind"] = "StorageBackup";
  object["apiVersion"] = "v1";
  const ParsedStorageCluster parsed = ParseStorageCluster(object);
  ASSERT_EQ(parsed.errors.size(), 2u);
  EXPECT_EQ(parsed.errors[0].path, "apiVersion");
  EXPECT_EQ(parsed.errors[1].path, "kind");
}

TEST(StorageCluster, WrongTypesAnywhereAreErrorsAndNoCrash) {
  const std::vector<Json> wrong = {nullptr,
                                   true,
                                   -1,
                                   1.5,
                                   "text",
                                   Json::array(),
                                   Json::object(),
                                   Json::array({Json::array({1})}),
                                   std::string(10000, 'a'),
                                   "\xff\xfe"};
  // Every place of a full object, replaced by every wrong thing.
  const Json whole = Cluster(Json::parse(R"({
    "backends": [{"name": "local", "embedded": {"storage": {"size": "1Gi", "storageClassName": "a"},
                                                "cacheSize": "1Gi", "compression": "lz4"}},
                 {"name": "one", "embedded": {"storage": {"size": "1Gi", "storageClassName": "a"}}},
                 {"name": "two", "embedded": {"storage": {"size": "1Gi", "storageClassName": "a"}}},
                 {"name": "three", "embedded": {"storage": {"size": "1Gi", "storageClassName": "a"}}},
                 {"name": "hot", "memory": {"maxBytes": "5Mi"}}],
    "stores": [{"name": "main", "backend": "local", "defaultTtl": "1h"},
               {"name": "behind", "tiered": {"store": "local", "cache": "hot", "write": "Back", "writeQueue": "one",
                                             "writeQueueEntries": 5, "writeConflictTtl": "2d"}},
               {"name": "copies", "replicated": {"backends": ["two", "three"], "writeQuorum": 2, "queueBytes": "2Mi"}}],
    "defaultStore": "main",
    "service": {"replicas": 1, "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}},
                "tls": {"secretName": "own", "clientCA": {"configMapRef": {"name": "clients", "key": "ca.crt"}}}},
    "terminationPolicy": "Delete"})"));
  const Json places = whole.flatten();
  std::set<std::string> pointers;
  for (const auto& [pointer, value] : places.items()) {
    for (Json::json_pointer at(pointer); !at.empty(); at = at.parent_pointer()) pointers.insert(at.to_string());
  }
  ASSERT_GT(pointers.size(), 30u);
  for (const std::string& pointer : pointers) {
    for (const Json& value : wrong) {
      Json object = whole;
      object[Json::json_pointer(pointer)] = value;
      const ParsedStorageCluster parsed = ParseStorageCluster(object, &whole);
      EXPECT_EQ(parsed.cluster.has_value(), parsed.errors.empty()) << pointer;
      EXPECT_EQ(ParseStorageCluster(whole, &object).cluster.has_value(),
                ParseStorageCluster(whole, &object).errors.empty());
      static_cast<void>(TerminationPolicyOf(object));
    }
  }
}

TEST(StorageCluster, AnUnreadablePolicyIsRetain) {
  Json object = Cluster(MinimalSpec());
  EXPECT_EQ(TerminationPolicyOf(object), TerminationPolicy::kRetain);
  object["spec"]["terminationPolicy"] = "Delete";
  object["spec"]["backends"] = "broken";
  EXPECT_EQ(TerminationPolicyOf(object), TerminationPolicy::kDelete);
  object["spec"]["terminationPolicy"] = 5;
  EXPECT_EQ(TerminationPolicyOf(object), TerminationPolicy::kRetain);
  EXPECT_EQ(TerminationPolicyOf("no object"), TerminationPolicy::kRetain);
}

TEST(StorageCluster, SummariesNameAllErrorsWithinTheirBound) {
  const std::vector<FieldError> errors = {{"spec.a", "is wrong"}, {"spec.b", "is wrong too"}};
  EXPECT_EQ(Summarize(errors), "2 errors: spec.a: is wrong; spec.b: is wrong too");
  EXPECT_EQ(Summarize(errors, 30), "2 errors: spec.a: is wrong; ...");
  EXPECT_EQ(Summarize({}), "");
}

}  // namespace
}  // namespace holdfast::api
