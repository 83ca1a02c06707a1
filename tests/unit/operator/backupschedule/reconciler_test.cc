#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "operator/api/v1/annotations.h"
#include "operator/api/v1/backup_health.h"
#include "tests/unit/operator/backupschedule/schedule_bench.h"

namespace holdfast::backupschedule {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(BackupSchedules, MakeAStorageBackupThatBelongsToTheCluster) {
  ScheduleBench bench(Json::array({Hourly({{"kind", "Incremental"}, {"drill", true}})}));
  ASSERT_TRUE(bench.Settle());
  EXPECT_THAT(bench.Backups(), IsEmpty()) << "no tick has come yet";
  bench.ToNextHour();
  ASSERT_TRUE(bench.Settle());
  ASSERT_THAT(bench.Backups(), SizeIs(1));
  const Json backup = bench.Backups().front();
  EXPECT_EQ(backup.at("spec").at("kind"), "Incremental");
  EXPECT_EQ(backup.at("spec").at("drill"), true);
  EXPECT_EQ(backup.at("spec").at("deadline"), "1000d");
  EXPECT_EQ(kube::LabelOf(backup, api::kBackupScheduleLabel), "hourly");
  EXPECT_EQ(backup.at("metadata").at("ownerReferences").at(0).at("uid"),
            kube::UidOf(bench.run.cluster.Cluster("demo")));
  EXPECT_EQ(backup.at("status").at("phase"), "Succeeded");
  const Json status = bench.StatusOf();
  EXPECT_EQ(status.at("lastScheduleTime"), backup.at("metadata").at("annotations").at(api::kScheduledAtAnnotation));
  EXPECT_TRUE(status.contains("lastSuccessfulTime"));
  EXPECT_FALSE(status.contains("active"));
  EXPECT_EQ(bench.run.cluster.ConditionOf("demo", api::kBackupHealthyCondition), "True BackedUp");
  EXPECT_THAT(bench.run.events, Contains("BackupScheduled"));
  EXPECT_THAT(bench.run.complaints, IsEmpty());
}

TEST(BackupSchedules, WriteNothingBetweenTicks) {
  ScheduleBench bench;
  bench.ToNextHour();
  ASSERT_TRUE(bench.Settle());
  const std::uint64_t before = bench.run.cluster.revision();
  bench.run.clock.Advance(std::chrono::minutes{59});
  for (int look = 0; look < 5; ++look) bench.Look();
  EXPECT_EQ(bench.run.cluster.revision(), before);
}

TEST(BackupSchedules, KeepAsManyAsTheyShould) {
  ScheduleBench bench(Json::array({Hourly({{"successfulHistoryLimit", 2}})}));
  ASSERT_TRUE(bench.Settle());
  bench.run.CreateBackup(Json::object(), "by-hand");
  for (int tick = 0; tick < 4; ++tick) {
    bench.ToNextHour();
    ASSERT_TRUE(bench.Settle());
  }
  EXPECT_THAT(bench.Backups(), SizeIs(3)) << "two, and the one that somebody made";
  EXPECT_FALSE(bench.run.Backup("by-hand").is_null());
  EXPECT_THAT(bench.run.service.items, SizeIs(5)) << "the backups themselves are the service's";
}

TEST(BackupSchedules, AFailureIsInTheCondition) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  bench.run.service.fails = "quota_exceeded";
  bench.ToNextHour();
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.run.cluster.ConditionOf("demo", api::kBackupHealthyCondition), "False BackupFailed");
  EXPECT_THAT(bench.run.cluster.MessageOf("demo", api::kBackupHealthyCondition), HasSubstr("schedule hourly"));
  bench.run.service.fails.clear();
  bench.ToNextHour();
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.run.cluster.ConditionOf("demo", api::kBackupHealthyCondition), "True BackedUp");
}

TEST(BackupSchedules, ATickWhileTheFormerOneRunsIsSkipped) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  bench.ToNextHour();
  bench.Look();
  bench.ToNextHour();
  bench.Look();
  EXPECT_THAT(bench.Backups(), SizeIs(1));
  EXPECT_THAT(bench.run.events, Contains("BackupSkipped"));
}

TEST(BackupSchedules, LeaveAPausedClusterAlone) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  Json cluster = bench.run.cluster.Cluster("demo");
  cluster["metadata"]["annotations"][api::kPausedAnnotation] = "true";
  ASSERT_TRUE(bench.run.cluster.user()
                  .Update(kube::kinds::kStorageCluster, cluster, Deadline::After(std::chrono::seconds{10}))
                  .ok());
  bench.ToNextHour();
  bench.Look();
  EXPECT_THAT(bench.Backups(), IsEmpty());
}

TEST(BackupSchedules, OnesThatAreTakenAwayLeaveTheStatusAndTheirBackupsStay) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  bench.ToNextHour();
  ASSERT_TRUE(bench.Settle());
  bench.SetSchedules(Json::array());
  ASSERT_TRUE(bench.Settle());
  EXPECT_TRUE(bench.StatusOf().empty());
  EXPECT_EQ(bench.run.cluster.ConditionOf("demo", api::kBackupHealthyCondition), "");
  EXPECT_THAT(bench.Backups(), SizeIs(1));
  // What the clusters' own controller writes does not bring them back.
  ASSERT_TRUE(bench.run.cluster.Converge("demo"));
  EXPECT_TRUE(bench.StatusOf().empty());
}

TEST(BackupSchedules, TheirStatusSurvivesTheClustersOwnController) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  const Json before = bench.StatusOf();
  bench.run.cluster.PatchSpec("demo", {{"service", {{"replicas", 0}}}});
  ASSERT_TRUE(bench.run.cluster.Converge("demo"));
  EXPECT_EQ(bench.StatusOf(), before);
}

// A name that somebody took is told of, and nothing of his is deleted.
TEST(BackupSchedules, SomebodyElsesObjectInTheWayIsTold) {
  ScheduleBench bench;
  ASSERT_TRUE(bench.Settle());
  api::StorageCluster cluster;
  cluster.name = "demo";
  cluster.uid = kube::UidOf(bench.run.cluster.Cluster("demo"));
  bench.ToNextHour();
  const std::string name = BackupNameOf(cluster, "hourly", bench.run.clock.Now());
  bench.run.CreateBackup(Json::object(), name);
  bench.Look();
  EXPECT_EQ(bench.run.cluster.ConditionOf("demo", api::kBackupHealthyCondition), "False BackupNotMade");
  EXPECT_THAT(bench.run.complaints, SizeIs(1));
  EXPECT_FALSE(bench.run.Backup(name).is_null());
}

}  // namespace
}  // namespace holdfast::backupschedule
