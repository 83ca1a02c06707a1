#include "operator/controllers/storagemigration/reconciler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/kube/base64.h"
#include "operator/resources/build.h"
#include "tests/unit/operator/storagemigration/migration_bench.h"

namespace holdfast::storagemigration {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StorageMigrationTest : public ::testing::Test {
 protected:
  ~StorageMigrationTest() override { EXPECT_THAT(bench_.complaints, IsEmpty()); }
  Json Moves() { return bench_.cluster.Cluster("demo").at("status").value("moves", Json()); }
  MigrationBench bench_;
};

TEST_F(StorageMigrationTest, MovesAStoreAndRemembersWhereItIs) {
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kCompleteCondition), "True CutOver");
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "False AsExpected");
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition), "False CutOver");
  EXPECT_THAT(bench_.service.told, ElementsAre("start", "switch_reads", "cut_over"));
  const Json status = bench_.Migration().at("status");
  EXPECT_EQ(status.at("from"), "old");
  EXPECT_EQ(status.at("total"), 100);
  EXPECT_EQ(status.at("compared"), 100);
  EXPECT_TRUE(status.contains("cutOverTime"));
  EXPECT_THAT(bench_.events, Contains("CutOver"));

  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.Rendered(), "new");
  EXPECT_EQ(bench_.cluster.ConditionOf("demo", "StoresAsSpecified"), "False StoreMoved");
  EXPECT_THAT(bench_.cluster.MessageOf("demo", "StoresAsSpecified"), HasSubstr("write new for old"));
  EXPECT_EQ(Moves()[0].at("former"), Json::array({"old"}));

  // The edit that is asked for changes no pod.
  const Json set = bench_.cluster.Get(kube::kinds::kStatefulSet, "demo");
  bench_.cluster.PatchSpec("demo", {{"stores", Json::array({{{"name", "main"}, {"backend", "new"}}})}});
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.cluster.Get(kube::kinds::kStatefulSet, "demo").at("spec"), set.at("spec"));
  EXPECT_EQ(bench_.cluster.ConditionOf("demo", "StoresAsSpecified"), "True AsSpecified");

  // An old manifest is applied again: it does not bring back what was left behind.
  bench_.cluster.PatchSpec("demo", {{"stores", Json::array({{{"name", "main"}, {"backend", "old"}}})}});
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.Rendered(), "new");

  // Nor does the deletion of the migration.
  bench_.DeleteMigration();
  EXPECT_TRUE(bench_.Migration().is_null());
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.Rendered(), "new");
}

TEST_F(StorageMigrationTest, WhatItHasLeftIsForgottenWithTheBackend) {
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilOver());
  Json spec = TwoBackends();
  spec["stores"][0]["backend"] = "new";
  spec["backends"].erase(0);
  bench_.cluster.PatchSpec("demo", spec);
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_TRUE(Moves().is_null());
  EXPECT_EQ(bench_.cluster.ConditionOf("demo", "StoresAsSpecified"), "");
  EXPECT_EQ(bench_.Rendered(), "new");
}

TEST_F(StorageMigrationTest, TheBackendWithTheEntriesIsNotTakenAway) {
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilOver());
  Json spec = TwoBackends();
  spec["backends"].erase(1);
  bench_.cluster.PatchSpec("demo", spec);
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.cluster.ConditionOf("demo", "Ready"), "False InvalidSpec");
  EXPECT_THAT(bench_.cluster.MessageOf("demo", "Ready"), HasSubstr("put that backend back"));
  EXPECT_EQ(bench_.Rendered(), "new");
}

TEST_F(StorageMigrationTest, ASpecThatIsEditedTooEarlyChangesNothing) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.cluster.PatchSpec("demo", {{"stores", Json::array({{{"name", "main"}, {"backend", "new"}}})}});
  for (int i = 0; i < 4; ++i) bench_.Round();
  EXPECT_EQ(bench_.Rendered(), "old -> new");
  EXPECT_EQ(bench_.cluster.ConditionOf("demo", "StoresAsSpecified"), "False StoreIsMoved");
}

TEST_F(StorageMigrationTest, ManualWaitsForApprovalWithReadsSwitched) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  for (int i = 0; i < 5; ++i) bench_.Round();
  EXPECT_EQ(bench_.service.phase, "reads_switched");
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition), HasSubstr("set spec.cutOver to Approved"));
  bench_.PatchMigration({{"cutOver", "Approved"}});
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kCompleteCondition), "True CutOver");
}

TEST_F(StorageMigrationTest, DifferencesWaitForApproval) {
  bench_.service.differences = 3;
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilReason("DifferencesFound"));
  for (int i = 0; i < 5; ++i) bench_.Round();
  EXPECT_EQ(bench_.service.phase, "verified");
  bench_.PatchMigration({{"cutOver", "Approved"}});
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kCompleteCondition), "True CutOver");
}

TEST_F(StorageMigrationTest, AnAbortUndoesEverything) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.PatchMigration({{"abort", true}});
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True AbortRequested");
  EXPECT_THAT(bench_.MessageOf(kFailedCondition), HasSubstr("store main is in backend old as before"));
  EXPECT_EQ(bench_.ConditionOf(kCompleteCondition), "False NotYet");
  EXPECT_EQ(bench_.service.phase, "idle");
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.Rendered(), "old");
  EXPECT_TRUE(Moves().is_null());
}

TEST_F(StorageMigrationTest, DeletionBeforeTheCutOverAborts) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.DeleteMigration();
  EXPECT_FALSE(bench_.Migration().is_null()) << "it goes when all is undone";
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_TRUE(bench_.Migration().is_null());
  EXPECT_THAT(bench_.service.told, Contains("abort"));
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  EXPECT_EQ(bench_.Rendered(), "old");
}

TEST_F(StorageMigrationTest, TheDeadlineEndsIt) {
  bench_.CreateMigration({{"cutOver", "Manual"}, {"deadline", "2h"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.clock.Advance(std::chrono::hours{3});
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True DeadlineExceeded");
}

TEST_F(StorageMigrationTest, TheDeadlineIsTerminalAlsoWhileNobodyAnswers) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.service.answers = false;
  bench_.clock.Advance(std::chrono::hours{25});
  bench_.Round();
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True DeadlineExceeded");
  EXPECT_THAT(bench_.MessageOf(kFailedCondition), HasSubstr("the abort is still to be done"));
  EXPECT_EQ(bench_.Rendered(), "old -> new") << "until the service has aborted it";
  bench_.service.answers = true;
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.service.phase, "idle");
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True DeadlineExceeded");
}

TEST_F(StorageMigrationTest, AnAbortElsewhereIsNoReasonToStartAgain) {
  bench_.service.goes_on = false;
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilReason("Copying"));
  bench_.service.phase = "idle";
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True AbortedElsewhere");
  EXPECT_EQ(bench_.service.starts, 1);
}

TEST_F(StorageMigrationTest, ARefusalIsTold) {
  bench_.service.refuses = Error(ErrorCode::kFailedPrecondition, "the target has entries of a store of this name");
  bench_.CreateMigration();
  ASSERT_TRUE(bench_.UntilReason("Refused"));
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition), HasSubstr("the target has entries"));
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition), "False Refused");
  bench_.service.refuses = {};
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kCompleteCondition), "True CutOver");
}

TEST_F(StorageMigrationTest, StartsWhenEveryPodMayMoveTheStore) {
  bench_.service.instances = 0;
  bench_.CreateMigration();
  for (int i = 0; i < 20; ++i) bench_.Round();
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition), "True ConfigurationRollingOut");
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition), HasSubstr("0 instances of 1 pods"));
  EXPECT_THAT(bench_.service.told, IsEmpty());
  bench_.service.instances = 1;
  ASSERT_TRUE(bench_.UntilOver());
}

TEST_F(StorageMigrationTest, APauseHoldsTheNextStep) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.Annotate({{"storage.holdfast.dev/paused", "true"}});
  bench_.PatchMigration({{"cutOver", "Automatic"}});
  for (int i = 0; i < 5; ++i) bench_.Round();
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition), "False Paused");
  EXPECT_EQ(bench_.service.phase, "reads_switched");
  bench_.Annotate({{"storage.holdfast.dev/paused", nullptr}});
  ASSERT_TRUE(bench_.UntilOver());
}

TEST_F(StorageMigrationTest, WhatIsNotThereIsTold) {
  bench_.CreateMigration({{"to", "elsewhere"}});
  bench_.Round();
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition), "False InvalidReference");
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition), HasSubstr("has no backend elsewhere but old, new: add it"));
  bench_.CreateMigration({{"cluster", "nowhere"}}, "other");
  bench_.Round("other");
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition, "other"), HasSubstr("there is no StorageCluster nowhere"));
  EXPECT_EQ(bench_.Rendered(), "old");
}

TEST_F(StorageMigrationTest, TwoOfOneStoreComeOneAfterTheOther) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.CreateMigration(Json::object(), "second");
  bench_.Round("second");
  EXPECT_EQ(bench_.ConditionOf(kProgressingCondition, "second"), "False AnotherMigration");
  bench_.PatchMigration({{"cutOver", "Approved"}});
  ASSERT_TRUE(bench_.UntilOver());
  bench_.Round("second");
  EXPECT_THAT(bench_.MessageOf(kProgressingCondition, "second"), HasSubstr("is in backend new already"));
  EXPECT_EQ(bench_.service.starts, 1);
}

TEST_F(StorageMigrationTest, AClusterThatGoesEndsIt) {
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  bench_.cluster.DeleteCluster("demo");
  ASSERT_TRUE(bench_.UntilOver());
  EXPECT_EQ(bench_.ConditionOf(kFailedCondition), "True ClusterGone");
}

TEST_F(StorageMigrationTest, AServiceThatAsksForTokensGetsOneOfItsOwn) {
  bench_.cluster.PatchSpec("demo", {{"service", {{"auth", {{"mode", "ServiceAccount"}}}}}});
  bench_.CreateMigration({{"cutOver", "Manual"}});
  ASSERT_TRUE(bench_.UntilReason("WaitingForApproval"));
  const Json secret = bench_.cluster.Get(kube::kinds::kSecret, "move-caller");
  ASSERT_FALSE(secret.is_null());
  const std::string token = *kube::Base64Decode(secret.at("data").at("token").get<std::string>());
  EXPECT_EQ(bench_.service.token, token);
  const Json data = bench_.cluster.Get(kube::kinds::kConfigMap, "demo-config").at("data");
  EXPECT_THAT(data.at("access.yaml").get<std::string>(), HasSubstr(resources::Sha256Of(token)));
  EXPECT_THAT(data.at("holdfast.yaml").get<std::string>(), HasSubstr("both"));
  EXPECT_THAT(data.dump() + bench_.cluster.Cluster("demo").dump() + bench_.Migration().dump(), Not(HasSubstr(token)));
  bench_.PatchMigration({{"cutOver", "Approved"}});
  ASSERT_TRUE(bench_.UntilOver());
  ASSERT_TRUE(bench_.cluster.Converge("demo"));
  const Json after = bench_.cluster.Get(kube::kinds::kConfigMap, "demo-config").at("data");
  EXPECT_THAT(after.at("access.yaml").get<std::string>(), Not(HasSubstr("sha256"))) << "the token ends with it";
}

}  // namespace
}  // namespace holdfast::storagemigration
