#include "operator/resources/postgres.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/config/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/resources/find.h"

namespace holdfast::resources {
namespace {

using kube::Json;
using ::testing::HasSubstr;
using ::testing::Not;

api::StorageCluster Cluster() {
  api::StorageCluster cluster;
  cluster.ns = "prod";
  cluster.name = "demo";
  cluster.uid = "u-1";
  api::PostgresBackend postgres;
  postgres.storage_size = "20Gi";
  postgres.parameters = {{"shared_buffers", "1GB"}};
  cluster.spec.backends = {{"db", postgres}};
  cluster.spec.stores = {{"main", "db", std::nullopt}};
  cluster.spec.default_store = "main";
  cluster.spec.service.replicas = 2;
  return cluster;
}

api::PostgresBackend& Postgres(api::StorageCluster& cluster) {
  return std::get<api::PostgresBackend>(cluster.spec.backends[0].kind);
}

Json Parsed(const Json& files, const char* name) {
  const auto documents = config::ParseYamlDocuments(files.at(name).get<std::string>(), name);
  EXPECT_TRUE(documents.ok()) << name;
  return documents->front();
}

TEST(Postgres, MakesEveryObjectInTheOrderOfApplying) {
  std::vector<std::string> names;
  for (const DesiredObject& object : BuildObjects(Cluster(), {"holdfast:test"})) {
    names.push_back(object.kind.kind + "/" + object.key().name);
    EXPECT_EQ(object.object.at("metadata").at("ownerReferences").at(0).at("uid"), "u-1") << names.back();
    EXPECT_EQ(object.object.at("metadata").at("labels").at(kClusterLabel), "demo");
  }
  EXPECT_THAT(names,
              ::testing::ElementsAre(
                  "ServiceAccount/demo", "ConfigMap/demo-db-settings", "ServiceAccount/demo-db", "Role/demo-db",
                  "RoleBinding/demo-db", "Service/demo-db-pods", "Service/demo-db-primary", "Service/demo-db-replicas",
                  "NetworkPolicy/demo-db", "PodDisruptionBudget/demo-db", "StatefulSet/demo-db",
                  "Service/demo-db-pooler", "NetworkPolicy/demo-db-pooler", "PodDisruptionBudget/demo-db-pooler",
                  "Deployment/demo-db-pooler", ::testing::StartsWith("Job/demo-db-migrate-"), "ConfigMap/demo-config",
                  "Service/demo", "PodDisruptionBudget/demo", "Deployment/demo"));
}

TEST(Postgres, SelectorsMatchThePodsOfOneRoleOnly) {
  const Json labels = Find(Cluster(), "StatefulSet", "demo-db").at("spec").at("template").at("metadata").at("labels");
  const Json service = Find(Cluster(), "Deployment", "demo").at("spec");
  const Json pooler = Find(Cluster(), "Deployment", "demo-db-pooler").at("spec");
  const auto selects = [](const Json& selector, const Json& of) {
    for (const auto& [label, value] : selector.items()) {
      if (of.value(label, Json()) != value) return false;
    }
    return true;
  };
  const Json servers = Find(Cluster(), "Service", "demo-db-pods").at("spec").at("selector");
  EXPECT_TRUE(selects(servers, labels));
  EXPECT_FALSE(selects(servers, service.at("template").at("metadata").at("labels")));
  EXPECT_FALSE(selects(servers, pooler.at("template").at("metadata").at("labels")));
  EXPECT_FALSE(selects(service.at("selector").at("matchLabels"), labels)) << "servers would get the clients' requests";
  EXPECT_TRUE(selects(pooler.at("selector").at("matchLabels"), pooler.at("template").at("metadata").at("labels")));
  EXPECT_EQ(Find(Cluster(), "Service", "demo-db-primary").at("spec").at("selector").at("role"), "master");
  EXPECT_EQ(Find(Cluster(), "Service", "demo-db-replicas").at("spec").at("selector").at("role"), "replica");
  // Patroni finds its pods by these.
  const Json patroni = Parsed(BackendFiles(Cluster(), Cluster().spec.backends[0]), "patroni.yml").at("kubernetes");
  EXPECT_TRUE(selects(patroni.at("labels"), labels));
  EXPECT_EQ(labels.at(patroni.at("scope_label").get<std::string>()), "demo-db");
}

TEST(PatroniConfig, HasWhatTheOperatorCountsOn) {
  const Json patroni = Parsed(BackendFiles(Cluster(), Cluster().spec.backends[0]), "patroni.yml");
  EXPECT_EQ(patroni.at("scope"), "demo-db");
  EXPECT_EQ(patroni.at("kubernetes").at("use_endpoints"), false);
  EXPECT_EQ(patroni.at("restapi").at("verify_client"), "optional");
  const Json& dynamic = patroni.at("bootstrap").at("dcs");
  EXPECT_EQ(dynamic.at("synchronous_mode"), true);
  EXPECT_EQ(dynamic.at("synchronous_node_count"), 1);
  EXPECT_EQ(dynamic.at("maximum_lag_on_failover"), 1048576);
  EXPECT_EQ(dynamic.at("postgresql").at("parameters"),
            Json::parse(R"({"wal_log_hints": "on", "shared_buffers": "1GB"})"));
  EXPECT_LE(dynamic.at("loop_wait").get<int>() + 2 * dynamic.at("retry_timeout").get<int>(),
            dynamic.at("ttl").get<int>());
  for (const Json& line : patroni.at("postgresql").at("pg_hba")) {
    const std::string rule = line.get<std::string>();
    EXPECT_THAT(rule, HasSubstr("scram-sha-256"));
    EXPECT_TRUE(rule.starts_with("local ") || rule.starts_with("hostssl ")) << rule;
  }
  api::StorageCluster alone = Cluster();
  Postgres(alone).synchronous_standbys = 0;
  EXPECT_EQ(DynamicConfiguration(alone, Postgres(alone)).at("synchronous_mode"), false);
}

TEST(PatroniConfig, AChangeOfWhatMembersFollowRestartsNobody) {
  const auto checksum = [](const api::StorageCluster& cluster, const BuildOptions& options = {"holdfast:test"}) {
    return Find(cluster, "StatefulSet", "demo-db", options)
        .at("spec")
        .at("template")
        .at("metadata")
        .at("annotations")
        .dump();
  };
  api::StorageCluster tuned = Cluster();
  Postgres(tuned).parameters["work_mem"] = "16MB";
  EXPECT_EQ(checksum(tuned), checksum(Cluster()));
  BuildOptions renewed{"holdfast:test"};
  renewed.secret_checksums["demo-db-tls"] = "sha256:1";
  EXPECT_NE(checksum(Cluster(), renewed), checksum(Cluster()));
}

TEST(ServiceConfig, ReachesTheDatabaseThroughThePoolerWithTlsAndAPasswordFile) {
  const auto settings = [](const api::StorageCluster& cluster) {
    const Json map = Find(cluster, "ConfigMap", "demo-config");
    return Parsed(map.at("data"), "holdfast.yaml").at("backends").at("db");
  };
  const std::string tls = "?sslmode=verify-full&sslrootcert=/etc/holdfast-backends/db/tls/ca.crt";
  EXPECT_EQ(settings(Cluster()),
            Json({{"type", "postgres"},
                  {"url", "postgresql://holdfast@demo-db-pooler.prod.svc:6432/holdfast" + tls},
                  {"direct_url", "postgresql://holdfast@demo-db-primary.prod.svc:5432/holdfast" + tls},
                  {"pooled", true},
                  {"password_file", "/etc/holdfast-backends/db/credentials/application-password"}}));
  api::StorageCluster direct = Cluster();
  Postgres(direct).pooler_instances = 0;
  EXPECT_EQ(settings(direct).at("url"), "postgresql://holdfast@demo-db-primary.prod.svc:5432/holdfast" + tls);
  EXPECT_FALSE(settings(direct).contains("pooled"));
  EXPECT_TRUE(Find(direct, "Deployment", "demo-db-pooler").is_null());
  api::StorageCluster packed = Cluster();
  packed.spec.backends[0].compression = "lz4";
  EXPECT_EQ(settings(packed).at("compression"), "lz4");
  EXPECT_EQ(
      Parsed(BackendFiles(packed, packed.spec.backends[0]), "migrate.yaml").at("backends").at("db").at("compression"),
      "lz4")
      << "the owner of the tables says it";
  EXPECT_NE(BuildMigrationJob(packed, packed.spec.backends[0], {}).object.at("metadata").at("name"),
            BuildMigrationJob(Cluster(), Cluster().spec.backends[0], {}).object.at("metadata").at("name"));
  api::StorageCluster external = Cluster();
  external.spec.backends[0].kind = api::ExternalPostgresBackend{"legacy", "dsn"};
  EXPECT_EQ(settings(external), Json::parse(R"({"type": "postgres", "url_file": "/etc/holdfast-backends/db/url"})"));
  const Json volumes = Find(external, "Deployment", "demo").at("spec").at("template").at("spec").at("volumes");
  EXPECT_EQ(volumes.back().at("secret"),
            Json::parse(R"({"secretName": "legacy", "defaultMode": 288, "items": [{"key": "dsn", "path": "url"}]})"));
}

TEST(ServiceConfig, LetsPodsOfItsNamespaceInWhenAsked) {
  api::StorageCluster cluster = Cluster();
  cluster.spec.service.service_account_auth = true;
  const Json data = Find(cluster, "ConfigMap", "demo-config").at("data");
  EXPECT_EQ(Parsed(data, "holdfast.yaml").at("auth"),
            Json::parse(R"({"mode": "serviceaccount", "tokens_file": "/etc/holdfast/access.yaml"})"));
  EXPECT_EQ(Parsed(data, "access.yaml"), Json::parse(R"({"rules": [
    {"principals": ["system:serviceaccount:prod:*"], "verbs": ["read", "write", "delete", "list"]}]})"));
  EXPECT_EQ(Find(cluster, "Deployment", "demo").at("spec").at("template").at("spec").at("automountServiceAccountToken"),
            true);
}

TEST(ServiceWorkload, AnAutoscalerOwnsTheNumberOfPods) {
  api::StorageCluster cluster = Cluster();
  EXPECT_EQ(Find(cluster, "Deployment", "demo").at("spec").at("replicas"), 2);
  cluster.spec.service.autoscaling = api::Autoscaling{2, 6, 60};
  EXPECT_FALSE(Find(cluster, "Deployment", "demo").at("spec").contains("replicas"));
  const Json spec = Find(cluster, "HorizontalPodAutoscaler", "demo").at("spec");
  EXPECT_EQ(spec.at("scaleTargetRef"),
            Json::parse(R"({"apiVersion": "apps/v1", "kind": "Deployment", "name": "demo"})"));
  EXPECT_EQ(spec.at("maxReplicas"), 6);
  cluster.hibernated = true;
  EXPECT_TRUE(Find(cluster, "HorizontalPodAutoscaler", "demo").is_null());
  EXPECT_EQ(Find(cluster, "Deployment", "demo").at("spec").at("replicas"), 0);
}

TEST(MigrationJob, RunsTheServicesImageOnceAndKeepsItsLastWords) {
  Json job;
  for (const DesiredObject& object : BuildObjects(Cluster(), {"holdfast:test"})) {
    if (object.stage == Stage::kMigration) job = object.object;
  }
  const Json& spec = job.at("spec");
  const Json& container = spec.at("template").at("spec").at("containers").at(0);
  EXPECT_EQ(container.at("image"), "holdfast:test");
  EXPECT_EQ(
      container.at("command"),
      Json::parse(R"(["holdfast", "migrate", "up", "--config", "/etc/holdfast/migrate.yaml", "--backend", "db"])"));
  EXPECT_EQ(container.at("terminationMessagePolicy"), "FallbackToLogsOnError");
  EXPECT_EQ(spec.at("template").at("spec").at("restartPolicy"), "Never");
  EXPECT_GT(spec.at("backoffLimit").get<int>(), 0);
  EXPECT_EQ(
      Parsed(BackendFiles(Cluster(), Cluster().spec.backends[0]), "migrate.yaml").at("backends").at("db").at("type"),
      "postgres");
}

TEST(VolumeSets, KnowTheirClaims) {
  const auto sets = VolumeSets(Cluster());
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_TRUE(sets[0].Holds("pgdata-demo-db-0"));
  EXPECT_TRUE(sets[0].Holds("pgdata-demo-db-12"));
  EXPECT_FALSE(sets[0].Holds("pgdata-demo-db-"));
  EXPECT_FALSE(sets[0].Holds("pgdata-demo-db-x-0"));
  EXPECT_FALSE(sets[0].Holds("data-demo-0"));
}

TEST(Pooler, LearnsOfANewPasswordWithoutAStart) {
  const Json pod = Find(Cluster(), "Deployment", "demo-db-pooler").at("spec").at("template");
  const Json& volumes = pod.at("spec").at("volumes");
  const auto credentials = std::find_if(volumes.begin(), volumes.end(),
                                        [](const Json& volume) { return volume.at("name") == "credentials"; });
  ASSERT_NE(credentials, volumes.end());
  EXPECT_EQ(credentials->at("secret").at("items"), Json::parse(R"([{"key": "userlist.txt", "path": "userlist.txt"}])"));
  const Json files = BackendFiles(Cluster(), Cluster().spec.backends[0]);
  EXPECT_THAT(files.at("pgbouncer.ini").get<std::string>(),
              HasSubstr("auth_file = {{env:CREDENTIALS_DIR}}/userlist.txt\n"));
  BuildOptions changed{"holdfast:test"};
  changed.secret_checksums["demo-db-credentials"] = "sha256:1";
  EXPECT_EQ(Find(Cluster(), "Deployment", "demo-db-pooler", changed).at("spec").at("template"), pod)
      << "a restart cuts its clients off";
}

TEST(LoginJob, AsksEachServerAndEachPoolerBeforeALoginCounts) {
  api::StorageCluster cluster = Cluster();
  const auto job = [&](const BuildOptions& options) {
    for (const DesiredObject& object : BuildObjects(cluster, options)) {
      if (object.key().name.starts_with("demo-db-login-")) return object.object;
    }
    return Json();
  };
  const auto words = [](const Json& object) {
    return object.at("spec").at("template").at("spec").at("containers").at(0).at("command");
  };
  BuildOptions options{"holdfast:test"};
  EXPECT_TRUE(job(options).is_null());
  const auto members = [](const Json& object) {
    for (const Json& each : object.at("spec").at("template").at("spec").at("containers").at(0).at("env")) {
      if (each.at("name") == "MEMBERS") return each.at("value").get<std::string>();
    }
    return std::string("none");
  };
  options.logins["db"] = {
      false, LoginChange{LoginChange::Step::kAdmit, "1", {"10.0.0.5", "fd00::6"}, {"10.0.1.1", "10.0.1.2"}}};
  const Json admits = job(options);
  EXPECT_EQ(words(admits),
            Json({"sh", "/etc/holdfast-templates/login.sh", "/usr/lib/postgresql/15/bin/psql",
                  "holdfast_b@demo-db-primary.prod.svc:5432", "holdfast_b@10.0.0.5:6432", "holdfast_b@fd00::6:6432",
                  "postgres_b@10.0.1.1:5432", "postgres_b@10.0.1.2:5432", "replicator_b@demo-db-primary.prod.svc:5432",
                  "rewinder_b@demo-db-primary.prod.svc:5432"}));
  EXPECT_EQ(members(admits), "");
  options.logins["db"].change->poolers.pop_back();
  EXPECT_NE(kube::KeyOf(job(options)), kube::KeyOf(admits)) << "the pods that were asked are not those there are";
  options.logins["db"] = {true, LoginChange{LoginChange::Step::kRetire, "1", {}, {"10.0.1.1", "10.0.1.2"}}, true};
  EXPECT_EQ(words(job(options)).size(), 3u);
  EXPECT_EQ(members(job(options)), "10.0.1.1:5432 10.0.1.2:5432") << "each has to use the new logins first";
  cluster.hibernated = true;
  EXPECT_TRUE(job(options).is_null()) << "it would fail as often as it may";
}

api::StorageCluster GrowingCluster() {
  api::StorageCluster cluster = Cluster();
  Postgres(cluster).autogrow = api::Autogrow{.max_size = "100Gi", .increment = {}};
  return cluster;
}

// Only an instance whose volume grows has somebody beside the server, and only the operator reaches him.
TEST(Autogrow, AContainerBesideTheServerTellsHowFullTheVolumeIs) {
  const auto pod_of = [](const api::StorageCluster& cluster) {
    return BuildPostgresStatefulSet(cluster, cluster.spec.backends[0], {}, "sha256:0")
        .at("spec")
        .at("template")
        .at("spec");
  };
  EXPECT_EQ(pod_of(Cluster()).at("containers").size(), 1u);
  EXPECT_FALSE(BackendFiles(Cluster(), Cluster().spec.backends[0]).contains(kVolumeScript));
  const Json pod = pod_of(GrowingCluster());
  ASSERT_EQ(pod.at("containers").size(), 2u);
  EXPECT_EQ(pod.at("containers").at(0).at("name"), "postgres");
  const Json& beside = pod.at("containers").at(1);
  EXPECT_EQ(beside.at("name"), "volume");
  EXPECT_EQ(beside.at("ports").at(0).at("containerPort"), kVolumePort);
  for (const Json& mount : beside.at("volumeMounts")) EXPECT_TRUE(mount.at("readOnly").get<bool>()) << mount;

  const auto ways_in = [](const api::StorageCluster& cluster) {
    Json ingress;
    for (const DesiredObject& object : BuildPostgresAccess(cluster, cluster.spec.backends[0])) {
      if (object.kind == kube::kinds::kNetworkPolicy) ingress = object.object.at("spec").at("ingress");
    }
    return ingress;
  };
  EXPECT_EQ(ways_in(Cluster()).size(), 2u);
  const Json ingress = ways_in(GrowingCluster());
  ASSERT_EQ(ingress.size(), 3u);
  EXPECT_EQ(ingress.at(2).at("ports").at(0).at("port"), kVolumePort);
  ASSERT_EQ(ingress.at(2).at("from").size(), 1u);
  EXPECT_EQ(ingress.at(2).at("from").at(0).at("podSelector").at("matchLabels"),
            Json::object({{"app.kubernetes.io/name", kFieldManager}}));
}

}  // namespace
}  // namespace holdfast::resources
