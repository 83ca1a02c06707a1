// The life of a cluster with a PostgreSQL backend, against the in-memory API server.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/controllers/storagecluster/finalize.h"
#include "operator/kube/base64.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::StartsWith;
namespace kinds = kube::kinds;

Deadline Soon() {
  return Deadline::After(std::chrono::seconds{10});
}

std::string JobName(ClusterBench& bench) {
  for (const auto& [name, object] : bench.Objects()) {
    if (name.starts_with("Job/")) return name.substr(4);
  }
  return "";
}

void Annotate(ClusterBench& bench, const char* annotation, const Json& value) {
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kStorageCluster, {"prod", "demo"},
                              {{"metadata", {{"annotations", {{annotation, value}}}}}}, Soon())
                  .ok());
}

TEST(Postgres, OneManifestLeadsToDatabaseSchemaAndService) {
  ClusterBench bench;
  std::vector<std::string> writes;
  bench.client().on_write = [&](const std::string& verb, const std::string& target) {
    writes.push_back(verb + " " + target);
  };
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "True AllApplied");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "False AsExpected");
  const auto objects = bench.Objects();
  for (const char* name :
       {"Secret/demo-ca", "Secret/demo-db-credentials", "Secret/demo-db-tls", "ConfigMap/demo-db-settings",
        "ServiceAccount/demo-db", "Role/demo-db", "RoleBinding/demo-db", "Service/demo-db-pods",
        "Service/demo-db-primary", "Service/demo-db-replicas", "Service/demo-db-pooler", "NetworkPolicy/demo-db",
        "PodDisruptionBudget/demo-db", "StatefulSet/demo-db", "Deployment/demo-db-pooler", "Deployment/demo",
        "PersistentVolumeClaim/pgdata-demo-db-2"}) {
    EXPECT_THAT(objects, Contains(Key(name)));
  }
  EXPECT_THAT(objects, Not(Contains(Key("StatefulSet/demo"))));
  const Json backend = bench.Cluster("demo").at("status").at("backends").at(0);
  EXPECT_EQ(backend.at("type"), "postgres");
  EXPECT_EQ(backend.at("primary"), "demo-db-0");
  EXPECT_EQ(backend.at("instances"), 3);
  EXPECT_EQ(backend.at("readyInstances"), 3);
  EXPECT_EQ(bench.Cluster("demo").at("status").at("replicas"), 2);
  EXPECT_TRUE(bench.HasEvent("PrimaryChanged"));

  // Secrets before what mounts them, the schema before the service.
  const auto at = [&](const std::string& write) {
    return std::find(writes.begin(), writes.end(), write) - writes.begin();
  };
  EXPECT_LT(at("create Secret/demo-db-credentials"), at("apply StatefulSet/demo-db"));
  EXPECT_LT(at("create Secret/demo-db-tls"), at("apply StatefulSet/demo-db"));
  EXPECT_LT(at("apply StatefulSet/demo-db"), at("apply Job/" + JobName(bench)));
  EXPECT_LT(at("apply Job/" + JobName(bench)), at("apply Deployment/demo"));

  const int count = bench.client().writes();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(bench.Reconcile("demo").ok());
  EXPECT_EQ(bench.client().writes(), count) << "a cluster at rest was written to";
}

TEST(Postgres, NoPasswordOrKeyStandsAnywhereButInItsSecret) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  std::vector<std::string> secrets;
  for (const char* name : {"demo-db-credentials", "demo-ca", "demo-db-tls"}) {
    const Json data = bench.Get(kinds::kSecret, name).at("data");
    for (const auto& [file, value] : data.items()) {
      // Verifiers are of passwords that were renewed, and none was.
      if (file.ends_with(".crt") || file == resources::kVerifiersFile) continue;
      secrets.push_back(kube::Base64Decode(value.get<std::string>()).value());
      EXPECT_GE(secrets.back().size(), 43u) << file;
    }
  }
  ASSERT_EQ(secrets.size(), 12u) << "two logins, their list, six of the servers, their list, two keys";
  std::string everything;
  for (const auto& [name, object] : bench.Objects()) {
    if (!name.starts_with("Secret/")) everything += object.dump();
  }
  for (const RecordedEvent& event : bench.events()) everything += event.message;
  for (const std::string& secret : secrets) {
    EXPECT_THAT(everything, Not(HasSubstr(secret)));
    EXPECT_THAT(everything, Not(HasSubstr(kube::Base64Encode(secret))));
  }
}

TEST(Postgres, WithoutAPrimaryNothingIsMigratedAndNothingServes) {
  ClusterBench bench;
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False BackendNotReady");
  EXPECT_THAT(bench.MessageOf("demo", "Ready"), HasSubstr("backend db: no primary takes writes, 0 of 3"));
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "False WaitingForPrimary");
  EXPECT_EQ(JobName(bench), "");
  EXPECT_TRUE(bench.Get(kinds::kDeployment, "demo").is_null());
  bench.servers_get_ready = true;
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Postgres, AFailedMigrationKeepsTheFormerServiceAndIsTriedAgainOnlyWhenAsked) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string former = JobName(bench);
  const Json service = bench.Get(kinds::kDeployment, "demo");

  bench.jobs_end_with = "Failed";
  bench.service_image = "holdfast:next";
  bench.RestartOperator();
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string job = JobName(bench);
  EXPECT_NE(job, former) << "a new image has a Job of its own";
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "False MigrationFailed");
  EXPECT_EQ(bench.ConditionOf("demo", "Degraded"), "True MigrationFailed");
  EXPECT_THAT(bench.MessageOf("demo", "MigrationsApplied"), HasSubstr("delete the Job"));
  EXPECT_TRUE(bench.HasEvent("MigrationFailed"));
  EXPECT_EQ(bench.Get(kinds::kDeployment, "demo").at("spec"), service.at("spec"));

  bench.jobs_end_with = "Complete";
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "False MigrationFailed") << "tried again by itself";
  const Json live = bench.Get(kinds::kJob, job);
  ASSERT_TRUE(
      bench.user().Delete(kinds::kJob, {"prod", job}, {kube::UidOf(live), kube::ResourceVersionOf(live)}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_THAT(bench.Get(kinds::kDeployment, "demo").dump(), HasSubstr("holdfast:next"));
  EXPECT_TRUE(bench.Get(kinds::kJob, former).is_null()) << "the Job of a former image is cleared away";
}

TEST(Postgres, AManualMigrationWaitsForItsName) {
  ClusterBench bench;
  Json spec = PostgresSpec();
  spec["migrations"] = {{"policy", "Manual"}};
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "False WaitingForApproval");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Blocked");
  const std::string message = bench.MessageOf("demo", "MigrationsApplied");
  const std::string job = message.substr(message.rfind('=') + 1);
  EXPECT_THAT(job, StartsWith("demo-db-migrate-"));
  Annotate(bench, api::kApplyMigrationsAnnotation, "true");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(JobName(bench), "") << "what is not named is not approved";
  Annotate(bench, api::kApplyMigrationsAnnotation, "demo-other-migrate-1, " + job);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(JobName(bench), job);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Postgres, HibernationStopsEverythingAndLosesNothing) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const auto objects = [&] {
    auto all = bench.Objects();
    all["StorageCluster/demo"]["metadata"].erase("annotations");
    return all;
  };
  const auto before = objects();
  Annotate(bench, api::kHibernateAnnotation, "true");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False Hibernated");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Settled");
  for (const auto& [kind, name] : {std::pair(kinds::kStatefulSet, "demo-db"), std::pair(kinds::kDeployment, "demo"),
                                   std::pair(kinds::kDeployment, "demo-db-pooler")}) {
    EXPECT_EQ(bench.Get(kind, name).at("spec").at("replicas"), 0) << name;
  }
  EXPECT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "pgdata-demo-db-0").is_null());
  Annotate(bench, api::kHibernateAnnotation, nullptr);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(objects(), before);
}

TEST(Postgres, VolumesGrowWhileTheServersAreDown) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec("1Gi"));
  ASSERT_TRUE(bench.Converge("demo"));
  bench.servers_get_ready = false;  // as with a full disk
  bench.PatchSpec("demo", {{"backends", PostgresSpec("3Gi").at("backends")}});
  ASSERT_TRUE(bench.Converge("demo"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(kube::StringAt(bench.Get(kinds::kPersistentVolumeClaim, "pgdata-demo-db-" + std::to_string(i)),
                             "/spec/resources/requests/storage"),
              "3Gi");
  }
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "False BackendNotReady");
}

std::string TemplateOf(ClusterBench& bench) {
  return bench.Get(kinds::kStatefulSet, "demo-db").at("spec").at("template").dump();
}

Json StoreOf(ClusterBench& bench) {
  return Json::parse(kube::StringAt(bench.Get(kinds::kConfigMap, "demo-db-config"), "/metadata/annotations/config"));
}

Json Tuned(const Json& parameters) {
  Json backends = PostgresSpec().at("backends");
  backends[0]["postgres"]["parameters"] = parameters;
  return {{"backends", backends}};
}

TEST(Postgres, AChangedParameterReachesTheStoreOfPatroniAndRestartsOnlyWhatItMust) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const std::string before = TemplateOf(bench);
  // What somebody else set with Patroni's own tools stays.
  Json store = StoreOf(bench);
  store["pause"] = true;
  ASSERT_TRUE(bench.user()
                  .MergePatch(kinds::kConfigMap, {"prod", "demo-db-config"},
                              {{"metadata", {{"annotations", {{"config", store.dump()}}}}}}, Soon())
                  .ok());
  bench.PatchSpec("demo", Tuned({{"work_mem", "16MB"}}));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(StoreOf(bench).at("postgresql").at("parameters").at("work_mem"), "16MB");
  EXPECT_EQ(StoreOf(bench).at("pause"), true);
  EXPECT_EQ(TemplateOf(bench), before) << "servers were restarted for nothing";
  EXPECT_TRUE(bench.HasEvent("DatabaseConfigured"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");

  bench.PatchSpec("demo", Tuned({{"shared_buffers", "1GB"}}));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(StoreOf(bench).at("postgresql").at("parameters"),
            Json::parse(R"({"wal_log_hints": "on", "shared_buffers": "1GB"})"));
  EXPECT_NE(TemplateOf(bench), before);
  const int writes = bench.client().writes();
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.client().writes(), writes);
}

TEST(Postgres, BackupsAreGivenToARunningClusterAndTakenAwayAgain) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  int told = 0;
  bench.client().on_write = [&](const std::string&, const std::string& target) {
    if (target.find("demo-db-config") != std::string::npos) ++told;
  };
  Json backends = PostgresSpec().at("backends");
  backends[0]["postgres"]["backup"] = {{"storage", {{"size", "1Gi"}}}};
  bench.PatchSpec("demo", {{"backends", backends}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(StoreOf(bench).at("postgresql").at("parameters").at("archive_mode"), "on");
  EXPECT_EQ(told, 1) << "the servers follow one change, not one for each StatefulSet";
  EXPECT_FALSE(bench.Get(kinds::kStatefulSet, "demo-db-backup").is_null());

  bench.PatchSpec("demo", {{"backends", PostgresSpec().at("backends")}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_FALSE(StoreOf(bench).at("postgresql").at("parameters").contains("archive_mode"));
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo-db-backup").is_null());
  EXPECT_EQ(told, 2);
}

TEST(Postgres, AChangeDuringTheFirstStartIsToldOnceThereIsSomebodyToTell) {
  ClusterBench bench;
  bench.servers_get_ready = false;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json first = bench.Get(kinds::kConfigMap, "demo-db-settings");
  bench.PatchSpec("demo", Tuned({{"work_mem", "16MB"}}));
  ASSERT_TRUE(bench.Converge("demo"));
  // The member that is starting has read the file as it was.
  const Json later = bench.Get(kinds::kConfigMap, "demo-db-settings");
  ASSERT_NE(first.at("data"), later.at("data"));
  ASSERT_TRUE(bench.user()
                  .Create(kinds::kConfigMap, Json::parse(R"({"apiVersion": "v1", "kind": "ConfigMap",
                            "metadata": {"name": "demo-db-config", "namespace": "prod",
                              "annotations": {"config": "{\"postgresql\": {\"parameters\": {}}}"}}})"),
                          Soon())
                  .ok());
  bench.servers_get_ready = true;
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(StoreOf(bench).at("postgresql").at("parameters").at("work_mem"), "16MB");
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

// The failover controller replaces the servers; how far it is stands in the condition.
TEST(Postgres, ARollingChangeIsProgressAndNoOutage) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Get(kinds::kStatefulSet, "demo-db").at("spec").at("updateStrategy"),
            Json::object({{"type", "OnDelete"}}));
  const auto tell = [&](const std::string& rollout) {
    Json cluster = bench.Cluster("demo");
    cluster["status"]["failover"] = Json::array({{{"backend", "db"}, {"primary", "demo-db-0"}}});
    if (!rollout.empty()) cluster["status"]["failover"][0]["rollout"] = rollout;
    ASSERT_TRUE(bench.user().UpdateStatus(kinds::kStorageCluster, cluster, Soon()).ok());
    ASSERT_TRUE(bench.Converge("demo"));
  };
  tell("1 of 3 members are at the new revision; waits until demo-db-2 streams");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "True RollingOut");
  EXPECT_THAT(bench.MessageOf("demo", "Progressing"), HasSubstr("1 of 3 members are at the new revision"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  tell("");
  EXPECT_EQ(bench.ConditionOf("demo", "Progressing"), "False Settled");
}

// The API server's default beside OnDelete is refused by it, and no apply takes away what nobody owns.
TEST(Postgres, ServersOfAnEarlierBuildAreLeftToTheOperator) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json earlier = {
      {"spec", {{"updateStrategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"partition", 0}}}}}}}};
  ASSERT_TRUE(bench.user().MergePatch(kinds::kStatefulSet, {"prod", "demo-db"}, earlier, Soon()).ok());
  Json backends = PostgresSpec().at("backends");
  backends[0]["postgres"]["instances"] = 2;
  bench.PatchSpec("demo", {{"backends", backends}});
  ASSERT_TRUE(bench.Converge("demo"));
  const Json servers = bench.Get(kinds::kStatefulSet, "demo-db");
  EXPECT_EQ(servers.at("spec").at("updateStrategy"), Json::object({{"type", "OnDelete"}}));
  EXPECT_EQ(servers.at("spec").at("replicas"), 2);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Postgres, ScalingDownKeepsTheVolumes) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  Json backends = PostgresSpec().at("backends");
  backends[0]["postgres"]["instances"] = 1;
  bench.PatchSpec("demo", {{"backends", backends}});
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_TRUE(bench.Get(kinds::kPod, "demo-db-2").is_null());
  EXPECT_FALSE(bench.Get(kinds::kPersistentVolumeClaim, "pgdata-demo-db-2").is_null());
  EXPECT_EQ(bench.Cluster("demo").at("status").at("backends").at(0).at("instances"), 1);
}

TEST(Postgres, AnAutoscalerKeepsItsNumber) {
  ClusterBench bench;
  Json spec = PostgresSpec();
  spec["service"] = {{"autoscaling", {{"minReplicas", 1}, {"maxReplicas", 5}}}};
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_FALSE(bench.Get(kinds::kHorizontalPodAutoscaler, "demo").is_null());
  ASSERT_TRUE(
      bench.user().MergePatch(kinds::kDeployment, {"prod", "demo"}, {{"spec", {{"replicas", 4}}}}, Soon()).ok());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.Get(kinds::kDeployment, "demo").at("spec").at("replicas"), 4);
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
}

TEST(Postgres, ExternalDatabasesGetTheirSchemaAndNothingElse) {
  ClusterBench bench;
  bench.CreateCluster("demo", Json::parse(R"({
    "backends": [{"name": "db", "postgres": {"external": {"urlSecretRef": {"name": "legacy", "key": "url"}}}}],
    "stores": [{"name": "main", "backend": "db"}]})"));
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.ConditionOf("demo", "MigrationsApplied"), "True AllApplied");
  EXPECT_THAT(bench.Objects(), Not(Contains(Key(StartsWith("Secret/")))));
  EXPECT_TRUE(bench.Get(kinds::kStatefulSet, "demo-db").is_null());
  EXPECT_EQ(bench.Cluster("demo").at("status").at("backends").at(0),
            Json::parse(R"({"name": "db", "type": "external"})"));
}

TEST(PostgresDeletion, RetainKeepsVolumesAndTheirPasswordsAndANewClusterTakesThemOver) {
  ClusterBench bench;
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  const Json credentials = bench.Get(kinds::kSecret, "demo-db-credentials");
  const std::string claim = kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "pgdata-demo-db-0"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  std::vector<std::string> left;
  for (const auto& [name, object] : bench.Objects()) left.push_back(name);
  EXPECT_THAT(left, ::testing::ElementsAre("ConfigMap/demo-db-config", "PersistentVolumeClaim/pgdata-demo-db-0",
                                           "PersistentVolumeClaim/pgdata-demo-db-1",
                                           "PersistentVolumeClaim/pgdata-demo-db-2", "Secret/demo-db-credentials"));
  bench.CreateCluster("demo", PostgresSpec());
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_EQ(bench.ConditionOf("demo", "Ready"), "True Available");
  EXPECT_EQ(bench.Get(kinds::kSecret, "demo-db-credentials").at("data"), credentials.at("data"));
  EXPECT_EQ(kube::UidOf(bench.Get(kinds::kPersistentVolumeClaim, "pgdata-demo-db-0")), claim);
  EXPECT_TRUE(bench.HasEvent("CredentialsTakenOver"));
}

TEST(PostgresDeletion, DeleteTakesPasswordsAndPatronisStateWithTheVolumes) {
  ClusterBench bench;
  Json spec = PostgresSpec();
  spec["terminationPolicy"] = "Delete";
  bench.CreateCluster("demo", spec);
  ASSERT_TRUE(bench.Converge("demo"));
  // As Patroni makes it: labelled, and nobody's.
  ASSERT_TRUE(
      bench.user()
          .Create(kinds::kConfigMap,
                  {{"apiVersion", "v1"},
                   {"kind", "ConfigMap"},
                   {"metadata",
                    {{"name", "demo-db-leader"},
                     {"namespace", "prod"},
                     {"labels", {{resources::kClusterLabel, "demo"}, {resources::kPatroniScopeLabel, "demo-db"}}}}}},
                  Soon())
          .ok());
  ASSERT_TRUE(bench.Converge("demo"));
  bench.DeleteCluster("demo");
  ASSERT_TRUE(bench.Converge("demo"));
  EXPECT_THAT(bench.Objects(), IsEmpty());
}

}  // namespace
}  // namespace holdfast::storagecluster
