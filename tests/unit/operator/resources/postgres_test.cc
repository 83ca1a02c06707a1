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

Json Find(const api::StorageCluster& cluster, const std::string& kind, const std::string& name,
          const BuildOptions& options = {"holdfast:test"}) {
  for (const DesiredObject& object : BuildObjects(cluster, options)) {
    if (object.kind.kind == kind && object.key().name == name) return object.object;
  }
  return nullptr;
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

// The script is run as a pod would run it.
class RenderTest : public ::testing::Test {
 protected:
  RenderTest() {
    folder_ = std::filesystem::temp_directory_path() / ("render-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "credentials");
    files_ = BackendFiles(Cluster(), Cluster().spec.backends[0]);
    Write("render.sh", files_.at("render.sh").get<std::string>());
  }
  ~RenderTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }

  // The exit status; what came out is in `rendered`.
  int Render(const std::string& text, std::string* rendered) {
    Write("template", text);
    const std::string folder = folder_.string();
    const std::string command = "cd " + folder + " && POD_IP=10.0.0.7 TLS_DIR=/tls PATRONI_DIR=/p RUN_DIR=/run " +
                                "PGBOUNCER_DIR=/b CREDENTIALS_DIR=" + folder +
                                "/credentials sh render.sh template target 2>/dev/null";
    const int status = std::system(command.c_str());
    std::ifstream target(folder_ / "target");
    *rendered = std::string(std::istreambuf_iterator<char>(target), {});
    return WEXITSTATUS(status);
  }

  std::filesystem::path folder_;
  Json files_;
};

TEST_F(RenderTest, FillsInEverythingThatIsAskedFor) {
  for (const char* name : {kApplicationPassword, kSecondApplicationPassword, kRotationFile, kVerifiersFile}) {
    Write("credentials/" + std::string(name), std::string("secret-of-") + name);
  }
  for (const ServerRole& role : kServerRoles) {
    for (const char* name : role.passwords) {
      Write("credentials/" + std::string(name), std::string("secret-of-") + name);
    }
  }
  for (const char* file : {"patroni.yml", "application.sql", "pgbouncer.ini", "pgpass", "admit-holdfast.sql",
                           "admit-holdfast_b.sql", "retire-holdfast.sql", "retire-holdfast_b.sql", "admit-postgres.sql",
                           "admit-postgres_b.sql", "retire-postgres.sql", "retire-postgres_b.sql"}) {
    std::string rendered;
    ASSERT_EQ(Render(files_.at(file).get<std::string>(), &rendered), 0) << file;
    EXPECT_THAT(rendered, Not(HasSubstr("{{"))) << file;
    EXPECT_THAT(rendered, HasSubstr("\n"));
    if (std::string(file) == "patroni.yml") {
      const Json patroni = config::ParseYamlDocuments(rendered, file).value().front();
      const Json& login = patroni.at("postgresql").at("authentication").at("superuser");
      EXPECT_EQ(login, Json({{"sslmode", "verify-ca"}, {"sslrootcert", "/tls/ca.crt"}})) << "the rest is followed";
      EXPECT_EQ(patroni.at("postgresql").at("parameters").at("unix_socket_directories"), "/run");
    }
    if (std::string(file) == "application.sql") {
      EXPECT_THAT(rendered, HasSubstr("CREATE ROLE holdfast LOGIN PASSWORD 'secret-of-application-password';"));
    }
    if (std::string(file) == "pgbouncer.ini") {
      EXPECT_THAT(rendered, HasSubstr("listen_addr = 10.0.0.7\n"));
    }
    if (std::string(file) == "pgpass") {
      EXPECT_THAT(rendered, HasSubstr("*:*:*:holdfast_b:secret-of-application-password-b\n"));
      EXPECT_THAT(rendered, HasSubstr("*:*:*:postgres:secret-of-superuser-password\n"));
      EXPECT_THAT(rendered, HasSubstr("*:*:*:replicator_b:secret-of-replication-password-b\n"));
      EXPECT_EQ(std::count(rendered.begin(), rendered.end(), '\n'), 8);
    }
    if (std::string(file).starts_with("admit-")) {
      EXPECT_THAT(rendered, HasSubstr("secret-of-verifiers.sql\n"));
      EXPECT_THAT(rendered, Not(HasSubstr("-password"))) << "the server is not told a password";
    }
  }
  const auto mode = std::filesystem::status(folder_ / "target").permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
  EXPECT_EQ(mode & std::filesystem::perms::group_all, std::filesystem::perms::none);
}

// Against a psql that is played: it is refused by the second place as often as the file says.
TEST_F(RenderTest, ALoginIsTriedUntilItIsLetInEverywhere) {
  Write("login.sh", files_.at("login.sh").get<std::string>());
  Write("psql", R"(#!/bin/sh
echo "$PGUSER@$PGHOST:$PGPORT $PGSSLMODE $*" | sed 's/--no-psqlrc //' >> asked
case "$*" in
  *SHOW*)
    seen=$(cat member)
    echo sha256:1 > member
    echo "$seen"
    ;;
esac
[ "$PGHOST" != fd00::6 ] && exit 0
left=$(cat refusals)
[ "$left" -eq 0 ] && exit 0
echo $((left - 1)) > refusals
echo 'password authentication failed' >&2
exit 2
)");
  Write("sleep", "#!/bin/sh\n");
  Write("change.sql", "-- sha256:1\nALTER ROLE ...\n");
  const auto run = [&](const std::string& refusals, const std::string& rotation = "sha256:1",
                       const std::string& members = "") {
    Write("refusals", refusals);
    Write("asked", "");
    Write("member", "sha256:0\n");
    const std::string command = "cd " + folder_.string() +
                                " && chmod +x psql sleep && PATH=.:$PATH PGUSER=postgres PGHOST=primary PGPORT=1 "
                                "PGSSLMODE=verify-full LOGIN_DIR=. MEMBERS='" +
                                members + "' ROTATION=" + rotation +
                                " sh login.sh ./psql holdfast_b@fd00::6:6432 postgres_b@10.0.0.1:5432 "
                                "replicator_b@primary:5432 2>said";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  const auto text = [&](const char* name) {
    std::ifstream file(folder_ / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string change =
      "postgres@primary:1 verify-full --set ON_ERROR_STOP=1 --file ./change.sql --file ./servers.sql\n";
  const std::string application = "holdfast_b@fd00::6:6432 verify-ca --command SELECT 1\n";
  EXPECT_EQ(run("1"), 0);
  EXPECT_EQ(text("asked"), change + application + application +
                               "postgres_b@10.0.0.1:5432 verify-ca --dbname postgres --command SELECT 1\n"
                               "replicator_b@primary:5432 verify-ca --dbname replication=true --command "
                               "IDENTIFY_SYSTEM\n");
  EXPECT_NE(run("1000"), 0);
  EXPECT_EQ(text("said"), "login.sh: holdfast_b@fd00::6:6432 is not let in: password authentication failed\n");
  // Nothing is changed before each member goes by the logins of this rotation.
  EXPECT_EQ(run("0", "sha256:1", "10.0.0.1:5432"), 0);
  const std::string shows =
      "postgres@10.0.0.1:5432 verify-ca --tuples-only --no-align --command SHOW holdfast.logins\n";
  EXPECT_THAT(text("asked"), ::testing::StartsWith(shows + shows + change));
  EXPECT_NE(run("0", "sha256:2"), 0) << "the password before the newest would be set";
  EXPECT_EQ(text("asked"), "");
}

// With a Patroni that is played: what it finds when it starts, and at each hangup.
TEST_F(RenderTest, PatroniStartsWithItsLoginsAndIsToldOfNewOnes) {
  Write("patroni.sh", files_.at("patroni.sh").get<std::string>());
  Write("patroni", R"(#!/usr/bin/env python3
import os, pathlib, signal, sys, time
def tell(what):
    with open("heard", "a") as heard:
        heard.write(what + " " + pathlib.Path(sys.argv[1], "logins.yml").read_text())
signal.signal(signal.SIGHUP, lambda *_: tell("told"))
tell("began")
while not os.path.exists("stop"):
    time.sleep(0.01)
)");
  Write("sleep", "#!/bin/sh\nexec /bin/sleep 0.02\n");
  // The logins come after the container, as from a kubelet that is late, and change while it runs.
  Write("play", R"(chmod +x patroni sleep
mkdir folder
touch heard
PATH=.:$PATH sh patroni.sh folder "$PWD/credentials/logins" &
become() {
  echo "$1" > credentials/next
  mv credentials/next credentials/logins
}
await() {
  until grep -q "$1" heard; do /bin/sleep 0.01; done
}
become one
await 'began one'
become two
await 'told two'
touch stop
wait
)");
  const std::string command = "cd " + folder_.string() + " && timeout 100 sh play";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 0);
  std::ifstream heard(folder_ / "heard");
  std::string first;
  std::getline(heard, first);
  EXPECT_EQ(first, "began one");
}

TEST_F(RenderTest, LeavesTheRestOfALineAsItIs) {
  Write("credentials/a", "x\\y $HOME `id` %s");
  std::string rendered;
  ASSERT_EQ(Render("  \\t {{file:a}}{{env:POD_IP}} } { \"q\" $PATH\nlast without an end", &rendered), 0);
  EXPECT_EQ(rendered, "  \\t x\\y $HOME `id` %s10.0.0.7 } { \"q\" $PATH\nlast without an end\n");
}

TEST_F(RenderTest, FailsRatherThanLeavingAHole) {
  std::string rendered;
  EXPECT_NE(Render("{{file:missing}}", &rendered), 0);
  EXPECT_NE(Render("{{env:MISSING}}", &rendered), 0);
  EXPECT_NE(Render("{{what:ever}}", &rendered), 0);
}

}  // namespace
}  // namespace holdfast::resources
