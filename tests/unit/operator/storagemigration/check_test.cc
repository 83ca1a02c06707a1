#include "operator/controllers/storagemigration/check.h"

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagemigration/rollout.h"
#include "operator/resources/build.h"
#include "operator/resources/names.h"

namespace holdfast::storagemigration {
namespace {

using api::Json;
using ::testing::HasSubstr;

api::StorageCluster Cluster(const std::string& spec) {
  const auto documents = config::ParseYamlDocuments(spec, "spec");
  const api::ParsedStorageCluster parsed =
      api::ParseStorageCluster({{"apiVersion", api::kApiVersion},
                                {"kind", api::kStorageClusterKind},
                                {"metadata", {{"name", "demo"}, {"namespace", "prod"}}},
                                {"spec", documents->front()}});
  EXPECT_TRUE(parsed.cluster.has_value()) << api::Summarize(parsed.errors);
  return *parsed.cluster;
}

constexpr char kBackends[] = R"(
backends:
  - {name: old, embedded: {storage: {size: 1Gi}}}
  - {name: new, embedded: {storage: {size: 1Gi}}}
  - {name: db, postgres: {storage: {size: 1Gi}}}
  - {name: other, postgres: {storage: {size: 1Gi}}}
  - {name: fast, memory: {}}
)";

std::string WhyNotMove(const std::string& to, const std::string& rest, const std::string& store = "main") {
  api::StorageMigration migration;
  migration.name = "move";
  migration.spec = {.cluster = "demo", .store = store, .to = to};
  const auto why = WhyNot(migration, Cluster(kBackends + rest));
  return why ? why->reason + ": " + why->message : "";
}

TEST(MigrationCheck, TakesWhatTheServiceCanMove) {
  EXPECT_EQ(WhyNotMove("new", "stores: [{name: main, backend: old}]"), "");
  EXPECT_EQ(WhyNotMove("db", "stores: [{name: main, backend: old}]"), "");
  EXPECT_EQ(WhyNotMove("other", "stores: [{name: main, backend: db}]"), "");
}

TEST(MigrationCheck, NamesWhatIsWrongAndTheRemedy) {
  const std::string on_old = "stores: [{name: main, backend: old}]";
  EXPECT_THAT(WhyNotMove("new", on_old, "sub"), HasSubstr("has no store sub: add it"));
  EXPECT_THAT(WhyNotMove("far", on_old), HasSubstr("has no backend far but old, new, db, other, fast: add it"));
  EXPECT_THAT(WhyNotMove("old", on_old), HasSubstr("is in backend old already"));
  EXPECT_THAT(WhyNotMove("fast", on_old), HasSubstr("would be empty when the pods are made anew: name another one"));
  EXPECT_THAT(WhyNotMove("old", "stores: [{name: main, backend: fast}]"), HasSubstr("use `holdfast copy`"));
  EXPECT_THAT(WhyNotMove("new", "stores: [{name: main, backend: db}]"),
              HasSubstr("backend new is inside one pod, and backend db is not"));
  EXPECT_THAT(WhyNotMove("db", "stores: [{name: main, backend: old}, {name: b, backend: db}]"),
              HasSubstr("store b uses backend db too"));
  EXPECT_THAT(WhyNotMove("db", "stores: [{name: main, backend: old}, {name: b, backend: old}]"),
              HasSubstr("store b uses backend old too"));
  EXPECT_THAT(WhyNotMove("other", "stores: [{name: main, tiered: {store: db, cache: fast}}]"),
              HasSubstr("store main is of two backends"));
  EXPECT_THAT(
      WhyNotMove("new", "stores: [{name: main, backend: old, changeArchive: true}]\nbackups: {claimName: backups}"),
      HasSubstr("store main has a change log"));
  EXPECT_THAT(WhyNotMove("new", on_old + "\nservice: {replicas: 0}"), HasSubstr("ServiceStopped"));
  const std::string clients = "\nservice: {tls: {secretName: mine, clientCA: {secretRef: {name: theirs, key: ca.crt}}";
  EXPECT_THAT(WhyNotMove("new", on_old + clients + "}}"), HasSubstr("NotSupported"));
  EXPECT_EQ(WhyNotMove("new", on_old + clients + ", operatorSecretName: operator}}"), "");
}

TEST(MigrationCheck, LeavesTheServersOfLocksAlone) {
  std::string servers;
  for (const char* name : {"l1", "l2", "l3"}) {
    servers.append("  - {name: ").append(name);
    servers += ", redis: {storage: {size: 1Gi}, persistence: {fsync: always}}}\n";
  }
  const std::string stores = "stores: [{name: main, backend: old, lockBackends: [l1, l2, l3]}]";
  EXPECT_THAT(WhyNotMove("l2", servers + stores), HasSubstr("backend l2 is one of a store's lockBackends"));
  EXPECT_EQ(WhyNotMove("db", servers + stores), "");
}

// A pod of the service, as it should be.
struct Rollout {
  Rollout() {
    api::StorageCluster cluster = Cluster(std::string(kBackends) + "stores: [{name: main, backend: old}]");
    cluster.moves = {{.store = "main", .backend = "old", .to = "new", .migration = "move", .uid = "u1"}};
    for (const resources::DesiredObject& each : resources::BuildObjects(cluster, {.service_image = "holdfast"})) {
      if (each.key().name == "demo-config") service.config_map = each.object;
      if (each.key().name == "demo" && each.kind == kube::kinds::kStatefulSet) service.workload = each.object;
    }
    const Json annotations = service.workload.at("spec").at("template").at("metadata").at("annotations");
    service.pods.push_back({{"metadata", {{"name", "demo-0"}, {"annotations", annotations}}},
                            {"status", {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}});
  }
  std::string Missing() const { return WhatIsMissing(service, "main", "new").value_or(""); }
  ServicePods service;
};

TEST(MigrationRollout, IsOverWhenEveryPodHasTheConfiguration) {
  Rollout rollout;
  EXPECT_EQ(rollout.Missing(), "");
  EXPECT_EQ(rollout.service.wanted(), 1);
}

TEST(MigrationRollout, WaitsForTheConfigurationThePodsAndTheFormerOnes) {
  Rollout rollout;
  rollout.service.config_map = nullptr;
  EXPECT_THAT(rollout.Missing(), HasSubstr("does not name backend new for store main yet"));
  EXPECT_THAT(WhatIsMissing(Rollout().service, "main", "db").value_or(""), HasSubstr("does not name backend db"));
  rollout = Rollout();
  rollout.service.workload["spec"]["template"]["metadata"]["annotations"] = Json::object();
  EXPECT_THAT(rollout.Missing(), HasSubstr("has not reached the pods"));
  rollout = Rollout();
  rollout.service.workload["metadata"]["generation"] = 5;
  EXPECT_THAT(rollout.Missing(), HasSubstr("has not reached the pods"));
  rollout = Rollout();
  rollout.service.pods[0]["status"] = Json::object();
  EXPECT_THAT(rollout.Missing(), HasSubstr("0 of 1 pods of the service are ready"));
  // One that is going still writes past the migration.
  rollout = Rollout();
  Json former = rollout.service.pods[0];
  former["metadata"]["annotations"] = {{resources::kConfigChecksumAnnotation, "former"}};
  former["metadata"]["deletionTimestamp"] = "2026-11-22T15:00:00Z";
  rollout.service.pods.push_back(former);
  EXPECT_THAT(rollout.Missing(), HasSubstr("1 without it have not ended"));
}

}  // namespace
}  // namespace holdfast::storagemigration
