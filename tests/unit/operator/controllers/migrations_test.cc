#include "operator/controllers/storagecluster/migrations.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/resources/names.h"
#include "tests/unit/operator/controllers/cluster_bench.h"

namespace holdfast::storagecluster {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MigrationsTest : public ::testing::Test {
 protected:
  MigrationsTest() {
    const Json object = {{"apiVersion", api::kApiVersion},
                         {"kind", api::kStorageClusterKind},
                         {"metadata", {{"name", "demo"}, {"namespace", "prod"}, {"uid", "u-1"}}},
                         {"spec", PostgresSpec()}};
    cluster_ = *api::ParseStorageCluster(object).cluster;
    desired_ = resources::BuildObjects(cluster_, {"holdfast:test"});
    for (const resources::DesiredObject& object_of : desired_) {
      if (object_of.stage == resources::Stage::kMigration) job_ = object_of.key().name;
    }
  }

  Migrations Judge() { return JudgeMigrations(cluster_, desired_, observed_); }

  void SetJob(const Json& conditions) {
    observed_.children = {
        {kube::kinds::kJob,
         {{"metadata", {{"name", job_}, {"namespace", "prod"}}}, {"status", {{"conditions", conditions}}}}}};
  }

  void AddPod(const std::string& name, const Json& labels, const Json& status) {
    observed_.pods.push_back(
        {{"metadata", {{"name", name}, {"namespace", "prod"}, {"labels", labels}}}, {"status", status}});
  }

  api::StorageCluster cluster_;
  std::vector<resources::DesiredObject> desired_;
  Observed observed_;
  std::string job_;
};

const Json kReady = Json::parse(R"({"conditions": [{"type": "Ready", "status": "True"}]})");

Json Server(const char* role) {
  return {{resources::kRoleLabel, "postgres"}, {resources::kBackendLabel, "db"}, {"role", role}};
}

TEST_F(MigrationsTest, WaitForAPrimaryThatIsReady) {
  EXPECT_EQ(Judge().backends.at(0).phase, MigrationPhase::kWaitingForPrimary);
  AddPod("demo-db-1", Server("replica"), kReady);
  AddPod("demo-db-0", Server("master"), Json::object());
  EXPECT_EQ(Judge().backends.at(0).phase, MigrationPhase::kWaitingForPrimary);
  Json other = Server("master");
  other[resources::kBackendLabel] = "other";
  AddPod("demo-other-0", other, kReady);
  EXPECT_EQ(Judge().backends.at(0).phase, MigrationPhase::kWaitingForPrimary);
  AddPod("demo-db-2", Server("master"), kReady);
  EXPECT_EQ(Judge().backends.at(0).phase, MigrationPhase::kRunning);
  EXPECT_EQ(kube::KeyOf(*PrimaryPod(observed_.pods, "db")).name, "demo-db-2");
}

TEST_F(MigrationsTest, APrimaryThatIsGoneDoesNotTakeBackWhatWasApplied) {
  SetJob(Json::parse(R"([{"type": "Complete", "status": "True"}])"));
  EXPECT_TRUE(Judge().AllApplied());
  EXPECT_EQ(Judge().Summary({"prod", "demo"}).reason, "AllApplied");
}

TEST_F(MigrationsTest, AConditionThatIsFalseIsNone) {
  SetJob(Json::parse(R"([{"type": "Complete", "status": "False"}, {"type": "Suspended", "status": "True"}])"));
  EXPECT_EQ(Judge().backends.at(0).phase, MigrationPhase::kRunning);
}

TEST_F(MigrationsTest, StagesOpenInTheirOrder) {
  const auto opens = [&](resources::Stage stage) {
    const Migrations migrations = Judge();
    for (const resources::DesiredObject& object : desired_) {
      if (object.stage == stage) return migrations.Opens(object);
    }
    return false;
  };
  EXPECT_TRUE(opens(resources::Stage::kAlways));
  EXPECT_FALSE(opens(resources::Stage::kMigration));
  EXPECT_FALSE(opens(resources::Stage::kService));
  AddPod("demo-db-0", Server("master"), kReady);
  EXPECT_TRUE(opens(resources::Stage::kMigration));
  EXPECT_FALSE(opens(resources::Stage::kService));
  SetJob(Json::parse(R"([{"type": "Failed", "status": "True"}])"));
  EXPECT_FALSE(opens(resources::Stage::kService));
  SetJob(Json::parse(R"([{"type": "Complete", "status": "True"}])"));
  EXPECT_TRUE(opens(resources::Stage::kService));
}

TEST_F(MigrationsTest, AFailureTellsTheEndOfTheLastLog) {
  SetJob(Json::parse(R"([{"type": "Failed", "status": "True"}])"));
  const auto ended = [](const char* finished, const std::string& message) {
    return Json{{"containerStatuses",
                 Json::array({{{"state", {{"terminated", {{"finishedAt", finished}, {"message", message}}}}}}})}};
  };
  std::string log;
  for (int i = 1; i <= 20; ++i) log += "line " + std::to_string(i) + "\n";
  AddPod("a", {{"job-name", job_}}, ended("2026-01-01T00:00:02Z", log));
  AddPod("b", {{"job-name", job_}}, ended("2026-01-01T00:00:01Z", "an earlier try"));
  AddPod("c", {{"job-name", "another"}}, ended("2026-01-01T00:00:09Z", "another job"));
  const std::string message = Judge().Summary({"prod", "demo"}).message;
  EXPECT_THAT(message, HasSubstr("line 13\n"));
  EXPECT_THAT(message, HasSubstr("line 20"));
  EXPECT_THAT(message, Not(HasSubstr("line 12\n")));
  EXPECT_THAT(message, Not(HasSubstr("earlier")));
  EXPECT_THAT(message, HasSubstr("Job prod/" + job_));
  observed_.pods.clear();
  AddPod("a", {{"job-name", job_}}, ended("2026-01-01T00:00:02Z", std::string(100'000, 'x')));
  EXPECT_LT(Judge().Summary({"prod", "demo"}).message.size(), 2000u);
}

TEST_F(MigrationsTest, TheJobFollowsTheImage) {
  const auto other = resources::BuildObjects(cluster_, {"holdfast:next"});
  const auto again = resources::BuildObjects(cluster_, {"holdfast:test"});
  const auto name = [](const std::vector<resources::DesiredObject>& objects) {
    for (const resources::DesiredObject& object : objects) {
      if (object.stage == resources::Stage::kMigration) return object.key().name;
    }
    return std::string();
  };
  EXPECT_NE(name(other), job_);
  EXPECT_EQ(name(again), job_);
  EXPECT_LE(job_.size(), 63u);
}

}  // namespace
}  // namespace holdfast::storagecluster
